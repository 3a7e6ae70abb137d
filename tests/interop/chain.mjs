// chain.mjs - an Ethereum chain for wallets: a real EVM behind JSON-RPC, with the contracts that the scenarios need.
//
// wallet    isValidSignature(hash, signature) says yes when the signature begins with 01
// factory   deploys: call data are a salt of 32 bytes and the code that makes the contract
import http from "node:http";
import { Common, Mainnet } from "@ethereumjs/common";
import { createEVM } from "@ethereumjs/evm";
import { bytesToHex, createAddressFromString, hexToBytes } from "@ethereumjs/util";

export const chainId = 31337;

//                       signature[0]  == 01       magic << 224           times, return
const walletCode = "606435" + "60001a" + "600114" + "631626ba7e" + "60e01b" + "02" + "600052" + "60206000f3";
//                       size - 32     copy after the salt     salt       create2              return the address
const factoryCode = "60203603" + "806020600037" + "600035" + "90" + "60006000f5" + "600052" + "60206000f3";

// Code that makes a contract of this code.
const makes = (code) => {
    const size = (code.length / 2).toString(16).padStart(2, "0");
    return `60${size}600c60003960${size}6000f3${code}`;
};

const word = (n) => n.toString(16).padStart(64, "0");
const padded = (hex) => hex + "00".repeat((32 - ((hex.length / 2) % 32)) % 32);
const factoryAddress = "0x00000000000000000000000000000000000000fa";

export class Chain {
    static async start() {
        const chain = new Chain();
        chain.evm = await createEVM({ common: new Common({ chain: Mainnet, hardfork: "cancun" }) });
        await chain.put(factoryAddress, factoryCode);
        await chain.listen(0);
        return chain;
    }

    async listen(port) {
        this.server = http.createServer((request, response) => this.serve(request, response));
        await new Promise((resolve) => this.server.listen(port, "127.0.0.1", resolve));
        this.port = this.server.address().port;
        this.url = `http://127.0.0.1:${this.port}`;
    }

    async stop() {
        this.server.closeAllConnections();
        await new Promise((resolve) => this.server.close(resolve));
    }

    put(address, code) {
        return this.evm.stateManager.putCode(createAddressFromString(address), hexToBytes(`0x${code}`));
    }

    // Each call runs on a checkpoint, so nothing stays.
    async call(data, to) {
        await this.evm.stateManager.checkpoint();
        try {
            const result = await this.evm.runCall({
                data: hexToBytes(data),
                gasLimit: 30_000_000n,
                ...(to ? { to: createAddressFromString(to) } : {}),
            });
            if (result.execResult.exceptionError) {
                throw new Error(`execution failed: ${result.execResult.exceptionError.error}`);
            }
            return bytesToHex(result.execResult.returnValue);
        } finally {
            await this.evm.stateManager.revert();
        }
    }

    async serve(request, response) {
        let body = "";
        for await (const piece of request) {
            body += piece;
        }
        const { id, method, params } = JSON.parse(body);
        let answer;
        try {
            answer = { result: method === "eth_blockNumber" ? "0x10" : await this.call(params[0].data, params[0].to) };
        } catch (error) {
            answer = { error: { code: 3, message: error.message } };
        }
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ jsonrpc: "2.0", id, ...answer }));
    }

    // A wallet that is there.
    async wallet(number) {
        const address = `0x${word(0xa0000 + number).slice(-40)}`;
        await this.put(address, walletCode);
        return { address, wrap: (signature) => signature };
    }

    // A wallet that its first signature would deploy (ERC-6492).
    async futureWallet(number) {
        const call = word(number) + makes(walletCode);
        const address = `0x${(await this.call(`0x${call}`, factoryAddress)).slice(-40)}`;
        const tail = (hex) => word(hex.length / 2) + padded(hex);
        const wrap = (signature) => {
            const first = tail(call);
            return factoryAddress.slice(2).padStart(64, "0") + word(96) + word(96 + first.length / 2) + first + tail(signature) +
                "6492".repeat(16);
        };
        return { address, wrap };
    }
}
