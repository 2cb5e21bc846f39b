import { LoginView } from './login-view.tsx'
import { PairView } from './pair-view.tsx'
import { ReplicaGate } from './replica-gate.tsx'
import { useSession } from './session.ts'

const isPair = new URLSearchParams(window.location.search).has('pair')

export function App() {
  return isPair ? <PairView /> : <Tracker />
}

function Tracker() {
  const { user, signIn, signOut } = useSession()
  if (user === null) return <LoginView onChoose={signIn} />
  return <ReplicaGate key={user.id} user={user} onSignOut={signOut} />
}
