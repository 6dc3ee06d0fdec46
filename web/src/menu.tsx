// A button that opens a list of commands. It closes with Escape, when a command was chosen, and when the focus leaves it.

import { type FocusEvent, type KeyboardEvent, type ReactNode, useRef, useState } from 'react'
import { Icon } from './icon.tsx'

export function Menu({ label, icon, children }: { label: string; icon: 'menu' | 'dots'; children: ReactNode }) {
  const [isOpen, setIsOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const keyDown = ({ key }: KeyboardEvent) => {
    if (key !== 'Escape' || !isOpen) return
    setIsOpen(false)
    button.current?.focus()
  }
  const blur = ({ currentTarget, relatedTarget }: FocusEvent) => {
    if (!currentTarget.contains(relatedTarget)) setIsOpen(false)
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only watches the keys and the focus of the buttons in it
    <div className="menu" onKeyDown={keyDown} onBlur={blur}>
      <button
        ref={button}
        {...{ type: 'button', className: 'round', 'aria-label': label, 'aria-expanded': isOpen }}
        onClick={() => setIsOpen(!isOpen)}
      >
        <Icon name={icon} />
      </button>
      {isOpen && (
        // biome-ignore lint/a11y/noStaticElementInteractions: a click on a command in it closes it
        // biome-ignore lint/a11y/useKeyWithClickEvents: the commands are buttons, which turn keys into clicks
        <div className="commands" onClick={() => setIsOpen(false)}>
          {children}
        </div>
      )}
    </div>
  )
}
