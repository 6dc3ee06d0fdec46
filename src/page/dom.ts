// Elements from code. Texts are set as texts, so nothing that people write is taken for HTML.

type Child = Node | string | null | false
type Props = { readonly [name: string]: string | number | boolean | (() => void) }

/** Makes an element. Properties are set as they are named in the DOM; those with a hyphen, and `role`, as attributes. */
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

/** What a form's fields hold, by their names. */
export function fieldsOf(form: HTMLFormElement): { readonly [name: string]: string } {
  return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]))
}
