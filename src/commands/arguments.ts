import { InvalidArgumentError } from 'commander';

/** @throws InvalidArgumentError for what is no whole number from 1 */
export function positive(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1.');
  return Number(text);
}

/** @throws InvalidArgumentError for what is no time span */
export function span(text: string): string {
  if (!/^[1-9]\d{0,8} ?[a-z]+$/i.test(text)) {
    throw new InvalidArgumentError('It must be a number with a unit, such as 90m, 12h or 30d.');
  }
  return text;
}

/** Without the slashes at its end. @throws InvalidArgumentError for what is no http or https url */
export function address(text: string): string {
  if (!/^https?:\/\/[^\s?#"'<>]+$/.test(text)) {
    throw new InvalidArgumentError(
      'It must be an http or https url without a query, such as http://localhost:3000.',
    );
  }
  return text.replace(/\/+$/, '');
}
