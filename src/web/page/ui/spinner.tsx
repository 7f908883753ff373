// Something is under way. With `label` it is said aloud too.

interface SpinnerProps {
  readonly label?: string;
}

export function Spinner({ label }: SpinnerProps) {
  if (label === undefined) return <span class="spinner" aria-hidden="true" />;
  return (
    <p class="waiting" role="status">
      <span class="spinner" aria-hidden="true" />
      {label}
    </p>
  );
}
