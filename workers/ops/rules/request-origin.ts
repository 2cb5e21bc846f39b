const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** What a request says of the page that made it. */
export interface RequestOrigin {
  readonly url: string
  /** The headers `sec-fetch-site` and `origin`, which no page can set. */
  readonly site: string | null
  readonly origin: string | null
}

/** Answers whether a request comes from a page of this very host: browsers say so themselves, or name the page's origin. */
export function isOwnPage({ url, site, origin }: RequestOrigin): boolean {
  if (site !== null) return site === 'same-origin'
  return origin !== null && origin === new URL(url).origin
}

/** Answers whether a cookie must be kept from plain HTTP: always, but on loopback without HTTPS, where browsers would not keep it. */
export function needsSecure(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol !== 'http:' || !LOOPBACK.test(hostname)
}
