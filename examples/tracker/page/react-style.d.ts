import 'react'

declare module 'react' {
  interface CSSProperties {
    /** Custom properties that the style sheets read. */
    '--hue'?: number
    '--label-color'?: string
    '--share'?: string
  }
}
