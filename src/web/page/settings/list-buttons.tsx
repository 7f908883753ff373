// Up, down, away: for an item of a list. Each says which item it means.

import { Button } from "../ui/button.tsx";
import { useText } from "../words/catalogue.ts";
import { words } from "./words.ts";

interface ListButtonsProps {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  readonly canRemove: boolean;
  readonly isDisabled: boolean;
  readonly onMove: (to: number) => void;
  readonly onRemove: () => void;
}

export function ListButtons({ name, index, count, canRemove, isDisabled, onMove, onRemove }: ListButtonsProps) {
  const text = useText(words);
  return (
    <div class="set-list-buttons">
      {count > 1 && (
        <>
          <Button
            kind="quiet"
            icon="up"
            label={text("up", { name })}
            disabled={isDisabled || index === 0}
            onClick={() => onMove(index - 1)}
          />
          <Button
            kind="quiet"
            icon="down"
            label={text("down", { name })}
            disabled={isDisabled || index === count - 1}
            onClick={() => onMove(index + 1)}
          />
        </>
      )}
      <Button
        kind="quiet"
        icon="remove"
        label={text("remove", { name })}
        disabled={isDisabled || !canRemove}
        onClick={onRemove}
      />
    </div>
  );
}
