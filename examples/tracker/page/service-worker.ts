import { NetworkFirst, type PrecacheEntry, Serwist } from 'serwist'

declare const self: ServiceWorkerGlobalScope & { readonly __SW_MANIFEST: (PrecacheEntry | string)[] }

/** After this long without an answer the page that was kept is shown. */
const PATIENCE_SECONDS = 3

/**
 * Keeps what the page is made of, so that it opens without a network. With one, the page itself always comes from there:
 * after a deploy the next reload is the new version.
 */
new Serwist({
  precacheEntries: self.__SW_MANIFEST,
  precacheOptions: { directoryIndex: null, cleanupOutdatedCaches: true },
  skipWaiting: true,
  clientsClaim: true,
  runtimeCaching: [
    {
      matcher: ({ request }) => request.mode === 'navigate',
      handler: new NetworkFirst({ cacheName: 'pages', networkTimeoutSeconds: PATIENCE_SECONDS }),
    },
  ],
  fallbacks: { entries: [{ url: '/index.html', matcher: ({ request }) => request.mode === 'navigate' }] },
}).addEventListeners()
