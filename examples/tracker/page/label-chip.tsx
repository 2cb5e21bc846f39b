export function LabelChip({ name, color }: { name: string; color: string }) {
  return (
    <span className="label" style={{ '--label-color': color }}>
      {name}
    </span>
  )
}
