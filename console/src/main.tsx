import { render } from 'preact';
import { takeCode } from './address.ts';
import { App } from './app.tsx';
import { resume } from './session.ts';
import { signInByCode } from './sign-in.tsx';
import { words } from './words.ts';

const code = takeCode();
if (code === undefined) resume();
else void signInByCode(code);

document.title = `${words.title} – ${words.product}`;
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
