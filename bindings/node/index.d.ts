/// <reference types="node" />
import { EventEmitter } from "node:events";

/** Where a message was written: between two people, or in a group. As a string it is its id. */
export interface Conversation {
  /** 32 hex digits */
  readonly id: string;
  readonly kind: "dm" | "group";
  toString(): string;
}

export interface MessageContent {
  /** Texts, markdown, and the text of a reply. Absent for other content: see `fallback`. */
  text?: string;
  /** Replies: id of the message that is answered. */
  reference?: string;
}

export interface Message {
  /** 64 hex digits, the same on every device that sees the message */
  readonly id: string;
  readonly content: MessageContent;
  /** Such as `xmtp.org/text:1.0` */
  readonly contentType: string;
  /** What to show when the content type is not understood. */
  readonly fallback?: string;
  readonly sent: Date;
  /** The same in nanoseconds since 1970. */
  readonly sentNs: bigint;
  readonly conversation: Conversation;
}

export interface User {
  /** `0x...` in lower case; empty when the inbox has no wallet */
  readonly address: string;
  /** 64 hex digits */
  readonly inboxId: string;
}

/**
 * Called for every message of others, exactly once. The message is handled when the promise resolves; when it
 * rejects the message is offered again later, with none of the answers sent.
 */
export type MessageHandler = (this: XMTP, message: Message, user: User) => unknown | Promise<unknown>;

export interface XMTPOptions {
  /**
   * The wallet's private key: 64 hex digits, with or without `0x`. Absent: a fresh anonymous identity that lives in
   * memory, nothing is written. Malformed: the constructor throws, `code` is `"E_KEY"`.
   */
  encryptionKey?: string | null;
  /**
   * Where the node listens: `https://host`, `http://host` in clear text for a node on this machine, or a network's
   * name, such as `dev` and `production`. Default `http://localhost:5556`
   */
  node?: string | null;
  /** PEM file of the certificate authorities that vouch for an https node. Default: those of the system */
  caFile?: string | null;
  /** Database file. Default: one per inbox and node in the user's data folder. Not used without a key. */
  dbPath?: string | null;
  /** "name/version", sent to the node */
  appVersion?: string | null;
  /** After so many failed attempts a message is set aside. Default 8 */
  attempts?: number | null;
  /** Wait before the second attempt; doubles with each. Default 1000 */
  retryMs?: number | null;
  /** Longest wait between attempts. Default 300000 */
  retryMaxMs?: number | null;
  /** How many messages are handled at a time, those of one conversation always one by one. Default 64 */
  concurrency?: number | null;
  /** How long `close` waits for handlers that are running. Default 5000 */
  closeTimeoutMs?: number | null;
}

export interface SendOptions {
  message: string;
  /** Answer in the conversation that this message came from. */
  originalMessage?: Pick<Message, "id"> & { conversation: string | { id: string } };
  /** Addresses or inbox ids; each gets the message in a conversation of two. */
  receivers?: string | string[];
}

export interface Sent {
  /** Absent when `noted`. */
  id?: string;
  conversation?: string;
  /** Absent for the answer to `originalMessage`. */
  receiver?: string;
  /** An answer of the handler that is running: it is sent together with the end of the handling. */
  noted: boolean;
}

export interface XMTPError extends Error {
  /** Such as `E_NETWORK` */
  code: string;
  /** The receiver that this is about */
  receiver?: string;
  /** Not on the network yet, but kept and sent when the node is back: do not send again. */
  kept?: boolean;
  /** Of a `send` to several: what went, and every failure. */
  sent?: Sent[];
  failed?: XMTPError[];
}

export interface XMTPEvents {
  message: [message: Message, user: User];
  /** A handler failed, or the agent ended because its database failed or its installation was revoked. */
  error: [error: Error];
  /** A message was given up after its last attempt. */
  setAside: [message: Message, user: User, reason: string];
  connection: [connected: boolean, error: XMTPError | undefined];
  close: [];
}

/** One inbox that answers messages. */
export class XMTP extends EventEmitter {
  constructor(onMessage?: MessageHandler | null, options?: XMTPOptions | null);

  /** Opens the inbox, registers it if it is new, and begins to handle messages. May be tried again when it fails. */
  init(): Promise<this>;
  /** Resolves when the network has the message, or when it is noted as an answer of the running handler. */
  send(options: SendOptions): Promise<Sent[]>;
  /** Waits for running handlers (`closeTimeoutMs`), then ends. Nothing keeps the process alive afterwards. */
  close(): Promise<void>;

  /** `0x...` in lower case; undefined before `init` */
  get address(): string | undefined;
  get inboxId(): string | undefined;
  get installationId(): string | undefined;

  on(event: "message", handler: MessageHandler): this;
  on<K extends keyof XMTPEvents>(event: K, listener: (...args: XMTPEvents[K]) => void): this;
  once(event: "message", handler: MessageHandler): this;
  once<K extends keyof XMTPEvents>(event: K, listener: (...args: XMTPEvents[K]) => void): this;
  off<K extends keyof XMTPEvents>(event: K, listener: (...args: any[]) => void): this;
}

export default XMTP;
