/** Which of a journal's two files: while one is in force the next is begun in the other. */
export type Slot = 0 | 1

/** Where a journal lies. Each call rejects with what the device says; what was there before stays readable. */
export interface JournalFiles {
  /** Empty of one that is not there. */
  read(slot: Slot): Promise<Uint8Array>
  append(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Puts these bytes in the place of all that is there. */
  replace(slot: Slot, bytes: Uint8Array<ArrayBuffer>): Promise<void>
  /** Removes both. */
  remove(): Promise<void>
  close(): Promise<void>
}
