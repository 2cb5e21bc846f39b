import { useEffect, useState } from 'react'

/** The present time, renewed every `stepMs`, for words such as "3 min. ago". */
export function useNow(stepMs: number): number {
  const [nowMs, setNowMs] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), stepMs)
    return () => clearInterval(timer)
  }, [stepMs])
  return nowMs
}
