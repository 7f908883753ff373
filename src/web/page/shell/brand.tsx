// The mark: a leaf on its stalk.

export function Brand() {
  return (
    <span class="brand">
      <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true">
        <path class="brand-stalk" d="M16 29V14" />
        <path class="brand-near" d="M16 20C9.5 20 5.5 16 5.3 8.5 12.5 8.6 16 13 16 20z" />
        <path class="brand-far" d="M16 16c0-7 4-11 11-11.5C27 12 23 16 16 16z" />
      </svg>
      <span>Petiole</span>
    </span>
  );
}
