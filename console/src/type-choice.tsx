import { MESSAGE_TYPES, type MessageType } from './api.ts';
import { words } from './words.ts';

interface TypeChoiceProps {
  readonly id?: string;
  readonly value: MessageType;
  readonly isFixed?: boolean;
  readonly isWrong?: boolean;
  readonly choose: (type: MessageType) => void;
}

export function TypeChoice({ id, value, choose, isFixed = false, isWrong = false }: TypeChoiceProps) {
  return (
    <select
      id={id}
      aria-invalid={isWrong}
      disabled={isFixed}
      value={value}
      onChange={({ currentTarget }) =>
        choose(MESSAGE_TYPES.find((each) => each === currentTarget.value) ?? value)
      }
    >
      {MESSAGE_TYPES.map((each) => (
        <option key={each} value={each}>
          {words.types[each]}
        </option>
      ))}
    </select>
  );
}
