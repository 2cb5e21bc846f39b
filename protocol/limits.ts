/** Every size and time that the two sides agree on. SPEC.md lists the bounds of loops under the same names. */
export const LIMITS = {
  /** Version of the wire; a client of another version is refused as `upgrade-required`. */
  protocolVersion: 11,
  /** A frame's target size; a transaction above it travels in parts. Workers receive at most 32 MiB a message. */
  frameBytes: 512 * 1024,
  /**
   * Largest row of a snapshot: with a larger one its audience's loads are refused (`limit-exceeded`) until it is shortened
   * or its column hidden. The stream carries any change, in fragments.
   */
  changeBytes: 16 * 1024 * 1024,
  /** Largest message a client may send, enough for a hello with all audiences; the socket is closed above it. */
  clientMessageBytes: 256 * 1024,
  /** The most bytes sent and not acknowledged, per socket, before the server waits. */
  windowBytes: 4 * 1024 * 1024,
  /** Rows are cut into chunks of about this many bytes of COPY text, so that a chunk fits a 2 MB SQLite row gzipped. */
  chunkRawBytes: 1024 * 1024,
  /** Transactions delivered by one call to a SyncDO; beyond it the delivery is a notice. RPC carries at most 32 MiB. */
  deliveryBytes: 4 * 1024 * 1024,
  /** Rows that one mutation may write, and JSON characters it may have; a larger local transaction is refused at once. */
  mutationRows: 2_000,
  mutationChars: 512 * 1024,
  mutationDependencies: 1_000,
  /** Mutations and JSON characters of one push. */
  pushMutations: 100,
  pushChars: 1024 * 1024,
  /** Outcomes asked for at once. */
  outcomesCounters: 1_000,
  /** The most mutations that a replica keeps unsettled; beyond it a write is refused until some are settled. */
  outboxMutations: 20_000,
  /** The most keys of one sequence that a replica holds, and that it asks for below half of them. */
  leasedKeys: 500,
  /** The most keys of one sequence that one user is given in a day (UTC), by whatever replicas. */
  leasedKeysPerDay: 50_000,
  audiencesPerSession: 200,
  audienceNameBytes: 512,
  tokenBytes: 8 * 1024,
  /** The name of a migration file, by which a page says what it knows. */
  migrationNameChars: 255,
  /** A replica's words on steps that it could not take are cut at this length. */
  schemaFaultChars: 500,
  /** The client pings this often; the runtime answers without waking the object. */
  pingIntervalMs: 25_000,
  /** After this long without any frame or pong the socket counts as dead. */
  silenceMs: 60_000,
  reconnectBaseMs: 500,
  reconnectMaxMs: 30_000,
} as const

export const PING_TEXT = 'ping'
export const PONG_TEXT = 'pong'
export const SUBPROTOCOL = 'tidemark.v1'
/** Subprotocol entry that carries the token as base64url, so that it never stands in a URL. */
export const TOKEN_SUBPROTOCOL_PREFIX = 'tidemark.token.'
