export function Wordmark() {
  return (
    <span className="wordmark">
      <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--accent)" />
        <path
          d="M5 13c3.7-4 7.3 4 11 0s7.3 4 11 0M5 21c3.7-4 7.3 4 11 0s7.3 4 11 0"
          fill="none"
          stroke="var(--accent-text)"
          strokeWidth="2.6"
          strokeLinecap="round"
        />
      </svg>
      Tracker
    </span>
  )
}
