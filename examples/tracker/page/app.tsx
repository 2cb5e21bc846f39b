import { LoginView } from './login-view.tsx'
import { ReplicaGate } from './replica-gate.tsx'
import { useSession } from './session.ts'

export function App() {
  const { user, signIn, signOut } = useSession()
  if (user === null) return <LoginView onChoose={signIn} />
  return <ReplicaGate key={user.id} user={user} onSignOut={signOut} />
}
