// index.mjs - the same for `import`.
import xmtp from "./index.cjs";

export const { XMTP } = xmtp;
export default XMTP;
