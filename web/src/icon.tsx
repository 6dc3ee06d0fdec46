// The icons of the interface, drawn with lines of the text's colour.

const paths = {
  plus: 'M12 5v14M5 12h14',
  menu: 'M4 7h16M4 12h16M4 17h16',
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l4.5 4.5',
  back: 'M15 5l-7 7 7 7',
  send: 'M12 20V5M5.5 11.5L12 5l6.5 6.5',
  attach: 'M20 11.5l-8.3 8.2a5 5 0 0 1-7.1-7.1l8.6-8.5a3.4 3.4 0 0 1 4.8 4.8l-8.6 8.4a1.7 1.7 0 0 1-2.4-2.4l7.7-7.6',
  forward: 'M13 5l7 6.500-7 6.500v-4c-4.500 0-7 1.500-9 4.500 0-5 3-9 9-9.500z',
  dots: 'M5 12h.01M12 12h.01M19 12h.01',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M6 9.5l6 6 6-6',
  muted: 'M6 9a6 6 0 0 1 9.5-4.9M18 9.5c0 5 2 6.5 2 6.5H9.5M4 16s2-1.500 2-5.5M10 20a2.200 2.200 0 0 0 4 0M4 4l16 16',
  pin: 'M9 3.500h6l-.7 6.500 3.200 3v2h-11v-2l3.200-3zM12 15v5.500',
  info: 'M12 11v6M12 7.500h.01M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z',
  lock: 'M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  checks: 'M2 12.500l4.500 4.500L16 7.500M12 16l1 1L22.500 7.500',
  clock: 'M12 8v4.500l3 2M12 3.500a8.500 8.500 0 1 1 0 17 8.500 8.500 0 0 1 0-17z',
  file: 'M7 3.500h7l4 4V20.500H7zM14 3.500V8h4',
} as const

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg className="icon" data-icon={name} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}
