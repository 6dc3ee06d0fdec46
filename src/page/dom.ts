// Makes DOM elements. Texts are always set as text, so a message can never become HTML.

type Child = Node | string | null | false
type Props = { readonly [name: string]: string | number | boolean | (() => void) }

/** Makes an element. Names with a hyphen and `role` are set as attributes, all others as properties of the DOM. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (name.includes('-') || name === 'role') element.setAttribute(name, String(value))
    else Reflect.set(element, name, value)
  }
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}

/** The values of a form's fields, by name. */
export function fieldsOf(form: HTMLFormElement): { readonly [name: string]: string } {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]))
}
