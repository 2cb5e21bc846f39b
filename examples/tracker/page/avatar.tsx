/** Initials on a colour that follows from the name. */
export function Avatar({ name }: { name: string | null }) {
  if (name === null) return <span className="avatar avatar-empty" title="Nobody" />
  const initials = name
    .split(' ')
    .map((part) => part.charAt(0))
    .slice(0, 2)
    .join('')
  let sum = 0
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 360
  return (
    <span className="avatar" title={name} style={{ '--hue': sum }}>
      {initials}
    </span>
  )
}
