// The side of the chat: the user's menu, the search, the connection, and the list of conversations.

import { useConnectionState, useStore, useViewer } from 'parley-client/react'
import { useState, useSyncExternalStore } from 'react'
import { Avatar } from './avatar.tsx'
import { ConversationList } from './conversation-list.tsx'
import { DevicesDialog } from './devices.tsx'
import { Icon } from './icon.tsx'
import { Menu } from './menu.tsx'
import { NewConversationDialog } from './new-conversation.tsx'
import { NotificationsDialog } from './notification-settings.tsx'
import { PeopleDialog } from './people.tsx'
import { goToModeration } from './place.ts'
import { ProfileDialog } from './profile.tsx'
import { useRole } from './role.ts'
import { SearchResults } from './search.tsx'
import { texts } from './texts.ts'

type Opened = 'new' | 'profile' | 'people' | 'devices' | 'notifications' | null

export function Sidebar({ openId }: { openId: string | null }) {
  const { client } = useStore()
  const viewer = useViewer()
  const [opened, setOpened] = useState<Opened>(null)
  const [query, setQuery] = useState('')
  const close = () => setOpened(null)
  return (
    <nav className="sidebar" aria-label={texts.conversations}>
      <header>
        {viewer && <Avatar id={viewer.id} name={viewer.displayName} picture={viewer.avatar ?? null} />}
        <h1 dir="auto">{viewer?.displayName ?? 'Parley'}</h1>
        <button type="button" className="round" aria-label={texts.newConversation} onClick={() => setOpened('new')}>
          <Icon name="plus" />
        </button>
        <Menu label={texts.menu} icon="menu">
          <button type="button" onClick={() => setOpened('profile')}>
            {texts.profile}
          </button>
          <button type="button" onClick={() => setOpened('people')}>
            {texts.people}
          </button>
          <button type="button" onClick={() => setOpened('notifications')}>
            {texts.notifications}
          </button>
          <button type="button" onClick={() => setOpened('devices')}>
            {texts.devices}
          </button>
          <ModerationCommand />
          <button type="button" onClick={() => void client.logOut()}>
            {texts.logOut}
          </button>
        </Menu>
      </header>
      <label className="search">
        <Icon name="search" />
        <input
          {...{ type: 'search', dir: 'auto', maxLength: 200, placeholder: texts.search, 'aria-label': texts.searchMessages }}
          value={query}
          onChange={({ target }) => setQuery(target.value)}
        />
      </label>
      <Connection />
      {query.trim() === '' ? <ConversationList openId={openId} /> : <SearchResults query={query.trim()} />}
      {opened === 'new' && <NewConversationDialog onClose={close} />}
      {opened === 'profile' && <ProfileDialog onClose={close} />}
      {opened === 'people' && <PeopleDialog onClose={close} />}
      {opened === 'notifications' && viewer && <NotificationsDialog userId={viewer.id} onClose={close} />}
      {opened === 'devices' && <DevicesDialog onClose={close} />}
    </nav>
  )
}

/** The way to the page of moderators, for them. */
function ModerationCommand() {
  if (useRole() === 'USER') return null
  return (
    <button type="button" onClick={goToModeration}>
      {texts.moderation}
    </button>
  )
}

const subscribeToNetwork = (changed: () => void) => {
  const types = ['online', 'offline'] as const
  for (const type of types) addEventListener(type, changed)
  return () => {
    for (const type of types) removeEventListener(type, changed)
  }
}

/** Says when the page is not up to date. The browser may know that the network is away before a connection breaks. */
function Connection() {
  const state = useConnectionState()
  const hasNetwork = useSyncExternalStore(subscribeToNetwork, () => navigator.onLine)
  const status = hasNetwork ? state.status : 'WAITING'
  const said = { WAITING: texts.offline, CONNECTING: texts.connecting, CATCHING_UP: texts.connecting, REFUSED: texts.refused }
  const text = (said as { readonly [status: string]: string | undefined })[status] ?? ''
  return (
    <p className="connection" role="status" hidden={text === ''}>
      {text}
    </p>
  )
}
