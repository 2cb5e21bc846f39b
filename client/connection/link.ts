/** What a connection uses of a WebSocket. */
export type Socket = Pick<WebSocket, 'readyState' | 'onopen' | 'onmessage' | 'onclose' | 'onerror' | 'send' | 'close'>

/** The way to a server: requests and sockets. */
export interface Link {
  readonly fetch: typeof fetch
  /** Throws where the platform refuses the address. */
  readonly openSocket: (url: string, protocols: string[]) => Socket
}

/** The network as the platform has it, looked up at each call, since a page may replace either. */
export const NETWORK: Link = {
  fetch: (...request) => fetch(...request),
  openSocket: (url, protocols) => new WebSocket(url, protocols),
}

/** The `readyState` of a socket that takes frames. */
export const SOCKET_OPEN = 1
