import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './styles/base.css'
import './styles/layout.css'
import './styles/issues.css'
import './styles/editing.css'
import './styles/board.css'
import './styles/history.css'
import './styles/log.css'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root.')
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
)

// It opens without a network from the next time on; that it cannot is no fault of the page.
if ('serviceWorker' in navigator)
  addEventListener('load', () => void navigator.serviceWorker.register('/service-worker.js').catch(console.warn))
