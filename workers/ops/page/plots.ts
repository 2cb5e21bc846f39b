import uPlot from 'uplot'
import { h } from './dom.ts'
import { bytes, count, duration } from './format.ts'
import type { Series } from './series.ts'

interface Line {
  readonly of: Exclude<keyof Series, 'x'>
  readonly label: string
  /** Name of the style variable that has its colour. */
  readonly colour: string
  readonly isFilled?: boolean
}

interface PlotKind {
  readonly title: string
  readonly lines: readonly Line[]
  readonly format: (value: number | null) => string
}

const KINDS: readonly PlotKind[] = [
  {
    title: 'Capture, per minute',
    lines: [
      { of: 'rows', label: 'rows', colour: '--line-1', isFilled: true },
      { of: 'transactions', label: 'transactions', colour: '--line-2' },
    ],
    format: count,
  },
  {
    title: 'Longest lag from commit',
    lines: [
      { of: 'storedMs', label: 'to stored', colour: '--line-1' },
      { of: 'deliveredMs', label: 'to delivered', colour: '--line-2' },
    ],
    format: duration,
  },
  {
    title: 'Log held back by the slot',
    lines: [{ of: 'retainedWalBytes', label: 'WAL', colour: '--line-1', isFilled: true }],
    format: bytes,
  },
]

const HEIGHT_PX = 170

/** The plots; they follow the width of the page, and are made anew where it turns light or dark. */
export class Plots {
  readonly element = h('div', { class: 'plots' })
  #plots: uPlot[] = []
  #data: Series | null = null

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#make())
    new ResizeObserver(() => this.#resize()).observe(this.element)
  }

  show(data: Series): void {
    this.#data = data
    if (this.#plots.length === 0) this.#make()
    else for (const [index, plot] of this.#plots.entries()) plot.setData(dataOf(KINDS[index]?.lines ?? [], data))
  }

  #make(): void {
    const data = this.#data
    if (data === null || !this.element.isConnected) return
    for (const plot of this.#plots) plot.destroy()
    this.element.replaceChildren()
    this.#plots = KINDS.map((kind) => {
      const figure = h('figure', {}, h('figcaption', {}, kind.title))
      this.element.append(figure)
      return new uPlot(optionsOf(kind, figure.clientWidth), dataOf(kind.lines, data), figure)
    })
  }

  #resize(): void {
    for (const plot of this.#plots) {
      const width = plot.root.parentElement?.clientWidth ?? plot.width
      if (width > 0 && width !== plot.width) plot.setSize({ width, height: HEIGHT_PX })
    }
  }
}

const dataOf = (lines: readonly Line[], data: Series): uPlot.AlignedData =>
  [[...data.x], ...lines.map(({ of }) => [...data[of]])] as uPlot.AlignedData

function optionsOf({ lines, format }: PlotKind, width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = { stroke: colour('--muted'), grid: { stroke: colour('--grid'), width: 1 }, ticks: { show: false } }
  return {
    width,
    height: HEIGHT_PX,
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(1, most ?? 0) * 1.08] } },
    axes: [
      { ...axis, values: (_plot, times) => times.map((at) => clock(at)), space: 60 },
      { ...axis, size: 64, values: (_plot, values) => values.map((value) => format(value)), space: 34 },
    ],
    series: [
      { value: (_plot, at) => (at == null ? '–' : clock(at)) },
      ...lines.map(({ label, colour: name, isFilled }) => ({
        label,
        stroke: colour(name),
        width: 1.5,
        ...(isFilled ? { fill: `${colour(name)}22` } : {}),
        points: { show: !isFilled, size: 4 },
        spanGaps: false,
        value: (_plot: uPlot, value: number | null) => format(value),
      })),
    ],
  }
}

const clock = (seconds: number): string =>
  new Date(seconds * 1_000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', hour12: false })
