/** The spans that Tidemark adds to those of the platform. */
export type SpanName = 'tidemark.push' | 'tidemark.capture' | 'tidemark.deliver' | 'tidemark.snapshot'

/** Notes what a span is about: counts, names of objects and places in the log, never a value of a row. */
export type NoteSpan = (attributes: Readonly<Record<string, string | number | null>>) => void

/** Runs work in a span. */
export type InSpan = <Result>(name: SpanName, run: (note: NoteSpan) => Promise<Result>) => Promise<Result>

/** For runtimes without traces. */
export const withoutSpan: InSpan = (_name, run) => run(() => {})
