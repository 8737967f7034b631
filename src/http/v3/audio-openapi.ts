import type { ZodOpenApiPathsObject } from 'zod-openapi';
import { retryAfter } from '../openapi-parts.ts';
import { PLAYBACK, WAVEFORM } from './audio-examples.ts';
import {
  capabilitiesAnswer,
  playbackAnswer,
  playbackQuery,
  waveformAnswer,
  waveformQuery,
} from './audio-schemas.ts';
import { answer, COMMON, failure, NO_PROMPT, refusal, success } from './openapi.ts';
import { presentCapabilities } from './present-audio.ts';
import { promptParams } from './schemas.ts';

const TAGS = ['Prompts (v3)'];

/** What a route may answer that needs something made of the audio. */
const MADE = {
  404: answer(
    'The prompt does not exist within the reach of the token, or what was asked for cannot be made of it: `errors` says which.',
    NO_PROMPT.content['application/json'].schema,
    failure(404, 'This rendition cannot be made: the audio cannot be decoded.', {
      field: 'rendition',
      code: 'not_found',
    }),
  ),
  ...COMMON,
  501: refusal(
    'It was never made, and this service makes none.',
    failure(501, 'This service makes no renditions: Conversion is switched off.'),
  ),
  503: {
    ...refusal(
      'It could not be made within ten seconds; or the database or the store does not answer, or there is too much to do.',
      failure(503, 'This rendition is not made yet; try again in a moment.'),
    ),
    headers: retryAfter,
  },
};

/** The routes of audio.ts as the API document has them. */
export const v3AudioPaths: ZodOpenApiPathsObject = {
  '/v3/media-prompts/{media_prompt_id}/playback': {
    get: {
      operationId: 'getPlayback',
      summary: 'Get the url of a prompt for an engine',
      description:
        'Which url to give to a telephony engine, what it will fetch from there, and what to mind. The rendition is made first if need be, which may take ten seconds.',
      tags: TAGS,
      requestParams: { path: promptParams, query: playbackQuery },
      responses: {
        200: answer('The url, and what there is.', playbackAnswer, success(PLAYBACK)),
        400: refusal(
          'The ID or a parameter is none.',
          failure(400, 'engine must be one of asterisk, freeswitch, browser.', {
            field: 'engine',
            code: 'required',
          }),
        ),
        ...MADE,
      },
    },
  },
  '/v3/media-prompts/{media_prompt_id}/waveform': {
    get: {
      operationId: 'getWaveform',
      summary: 'Get the waveform of a prompt',
      description:
        'The extremes of the recording as it was uploaded, over equal parts of its time: for drawing it.',
      tags: TAGS,
      requestParams: { path: promptParams, query: waveformQuery },
      responses: {
        200: answer('The extremes of each part.', waveformAnswer, success(WAVEFORM)),
        400: refusal(
          'The ID or the number of parts is out of range.',
          failure(400, 'buckets must be a whole number from 1 to 2000.', {
            field: 'buckets',
            code: 'invalid',
          }),
        ),
        ...MADE,
      },
    },
  },
  '/v3/capabilities': {
    get: {
      operationId: 'getCapabilities',
      summary: 'Get what this service can do',
      description: 'What makes renditions and why, what may be uploaded, what comes of it, and the limits.',
      tags: TAGS,
      responses: {
        200: answer(
          'What there is.',
          capabilitiesAnswer,
          success(
            presentCapabilities(
              {
                converter: 'ffmpeg',
                version: 'ffmpeg 7.1.1',
                reason: 'ffmpeg 7.1.1 of this machine converts.',
              },
              { loudnessLufs: -19, maxUploadBytes: 52_428_800 },
            ),
          ),
        ),
        400: refusal('The request is malformed.', failure(400, 'The request has no Host header; send one.')),
        ...COMMON,
      },
    },
  },
};
