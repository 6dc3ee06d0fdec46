// The web client of Parley: it shows how an app uses `parley-client/react`.

import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import './style.css'
import './chat.css'
import './dialog.css'
import { language } from './texts.ts'

document.documentElement.lang = language
const root = document.getElementById('root')
if (root) createRoot(root).render(<App />)
