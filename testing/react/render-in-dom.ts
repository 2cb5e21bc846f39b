import { Window } from 'happy-dom'
import { act, type ReactNode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterAll, afterEach, beforeAll } from 'vitest'

const GLOBALS = ['window', 'document', 'HTMLElement', 'Node'] as const

const mounted = new Set<Root>()

/** Gives the tests of a file a document, and unmounts what each rendered. */
export function provideDocument(): void {
  const page = new Window({ url: 'http://localhost/' })
  const before = new Map<string, PropertyDescriptor | undefined>()
  beforeAll(() => {
    for (const name of GLOBALS) {
      before.set(name, Object.getOwnPropertyDescriptor(globalThis, name))
      const value = name === 'window' ? page : page[name]
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
    }
    Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })
  })
  afterEach(async () => {
    for (const root of mounted) await act(async () => root.unmount())
    mounted.clear()
  })
  afterAll(async () => {
    await page.happyDOM.close()
    for (const [name, descriptor] of before) {
      Reflect.deleteProperty(globalThis, name)
      if (descriptor) Object.defineProperty(globalThis, name, descriptor)
    }
    Reflect.deleteProperty(globalThis, 'IS_REACT_ACT_ENVIRONMENT')
  })
}

export interface Rendered {
  readonly container: HTMLElement
  /** The text that is shown. */
  readonly text: string
  render(node: ReactNode): Promise<void>
  unmount(): Promise<void>
  /** Waits, within React's own bounds, until the text satisfies `test`. */
  shows(test: string | ((text: string) => boolean)): Promise<void>
}

export async function renderInDom(node: ReactNode): Promise<Rendered> {
  const container = document.createElement('div')
  document.body.append(container)
  // A boundary that catches an error shows it.
  const root = createRoot(container, { onCaughtError: () => undefined })
  mounted.add(root)
  await act(async () => root.render(node))
  const rendered: Rendered = {
    container,
    get text() {
      return container.textContent ?? ''
    },
    render: (next) => act(async () => root.render(next)),
    async unmount() {
      mounted.delete(root)
      await act(async () => root.unmount())
    },
    async shows(test) {
      const isShown = typeof test === 'string' ? (text: string) => text === test : test
      while (!isShown(rendered.text)) {
        if (!mounted.has(root)) throw new Error('It was unmounted before it showed that.')
        await act(() => new Promise((resolve) => setTimeout(resolve, 5)))
      }
    },
  }
  return rendered
}
