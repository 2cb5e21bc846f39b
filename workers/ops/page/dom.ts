type Child = Node | string | null | readonly Child[]
type Properties = Readonly<Record<string, string | boolean | ((event: Event) => void) | null>>

/** Makes an element. Text is set as text alone, so that nothing that is shown can become markup. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Properties = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function') element.addEventListener(name, value)
    else if (value === true) element.setAttribute(name, '')
    else if (typeof value === 'string') element.setAttribute(name, value)
  }
  element.append(...flat(children))
  return element
}

function flat(children: readonly Child[]): (Node | string)[] {
  return children.flatMap((child) => {
    if (child === null) return []
    return child instanceof Node || typeof child === 'string' ? [child] : flat(child)
  })
}

/** A part of the page that is drawn anew only where what it shows is another: buttons and selections stay meanwhile. */
export class Part<Shown> {
  readonly element: HTMLElement
  readonly #draw: (shown: Shown) => readonly Child[]
  #drawn = ''

  constructor(element: HTMLElement, draw: (shown: Shown) => readonly Child[]) {
    this.element = element
    this.#draw = draw
  }

  show(shown: Shown): void {
    const text = JSON.stringify(shown)
    if (text === this.#drawn) return
    this.#drawn = text
    this.element.replaceChildren(...flat(this.#draw(shown)))
  }
}

/** A table that becomes a list of cards on a narrow screen; each cell knows its column's name. */
export function tableOf(columns: readonly string[], rows: readonly (readonly Child[])[], empty: string): HTMLElement {
  if (rows.length === 0) return h('p', { class: 'empty' }, empty)
  return h(
    'table',
    { class: 'list' },
    h('thead', {}, h('tr', {}, ...columns.map((column) => h('th', { scope: 'col' }, column)))),
    h(
      'tbody',
      {},
      ...rows.map((cells) =>
        h('tr', {}, ...cells.map((cell, index) => h('td', { 'data-label': columns[index] ?? '' }, cell))),
      ),
    ),
  )
}
