// Logs a browser in with tokens that a backend has issued, for the screenshots and the tests of the web client.

/** Keeps a login where the web client keeps it. Runs in the page, so it may use nothing outside of itself. */
export function keepLogin({ userId, credentials }: { userId: string; credentials: object }): Promise<void> {
  localStorage.setItem('parley.user', userId)
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(`parley-login-${userId}`)
    opening.onerror = () => reject(opening.error)
    opening.onupgradeneeded = () => void opening.result.createObjectStore('kept')
    opening.onsuccess = () => {
      const writing = opening.result.transaction('kept', 'readwrite')
      writing.objectStore('kept').put(credentials, 1)
      writing.oncomplete = () => {
        opening.result.close()
        resolve()
      }
    }
  })
}
