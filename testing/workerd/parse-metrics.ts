import parsePrometheusTextFormat from 'parse-prometheus-text-format'

/** A family of metrics, as `parse-prometheus-text-format` answers it. */
export interface MetricFamily {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly metrics: readonly { readonly value: string; readonly labels?: Readonly<Record<string, string>> }[]
}

const parse = parsePrometheusTextFormat as (text: string) => MetricFamily[]

/** Parses the text of `/metrics`; throws where it is none. */
export function parseMetrics(text: string): ReadonlyMap<string, MetricFamily> {
  return new Map(parse(text).map((family) => [family.name, family]))
}
