/**
 * media-prompts
 * 0.1.0
 * DO NOT MODIFY - This file has been generated using oazapfts.
 * See https://www.npmjs.com/package/oazapfts
 */
import * as Oazapfts from "@oazapfts/runtime";
import * as QS from "@oazapfts/runtime/query";
export const defaults: Oazapfts.Defaults<Oazapfts.CustomHeaders> = {
    headers: {},
    baseUrl: "/"
};
const oazapfts = Oazapfts.runtime(defaults);
export const servers = {
    theServiceThatThisDocumentComesFrom: "/"
};
export type PromptUpload = {
    /** The audio: WAV, MP3, MP4, Ogg, WebM, M4A, AAC or FLAC. Its bytes decide what it is, not its name or type. */
    file: Blob;
    /** Unique within its org unit, in whatever case. Trimmed and composed (NFC). */
    name: string;
    /** What kind of prompt it is. */
    message_type: "prompt" | "whisper" | "voicemail" | "survey";
    /** ID of an org unit within the reach of the token; by default the unit of the token. */
    org_unit_id?: number;
    /** Where the recording comes from. */
    recording_file_type?: string;
    /** ID of the user who made the recording; by default the user of the token. */
    recording_created_by?: number;
};
export type Prompt = {
    /** What call flows refer to. */
    media_prompt_id: number;
    /** Path that plays the audio; nobody can guess it. */
    url: string;
    /** The display name, not the name of a file. */
    filename: string;
    /** Given by the service, unique for ever. */
    recording_name: string;
    name: string;
    message_type: "prompt" | "whisper" | "voicemail" | "survey";
    org_unit_id: number;
    recording_file_type: string;
    recording_created_by: number | null;
    /** As the client named the file. */
    original_filename: string | null;
    content_type: "audio/wav" | "audio/mpeg" | "audio/mp4" | "audio/ogg" | "audio/webm" | "audio/aac" | "audio/flac";
    /** Bytes. */
    file_size: number;
    sha256: string;
    container: "wav" | "mp3" | "mp4" | "ogg" | "webm" | "m4a" | "aac" | "flac";
    /** As ffprobe names it. */
    codec: string;
    /** Hz. */
    sample_rate: number | null;
    channels: number | null;
    duration_ms: number | null;
    description: string | null;
    created_on: string;
    modified_on: string;
};
export type PromptAnswer = {
    code: 200;
    message: "Success";
    data: Prompt;
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type Error = {
    /** The HTTP status. */
    code: number;
    /** One sentence for a person. */
    message: string;
    data: null;
    /** Every field at fault, where fields are to blame. */
    errors?: {
        field: string;
        code: "required" | "invalid" | "too_long" | "name_taken" | "file_too_large" | "file_empty" | "unsupported_format" | "unreadable_audio" | "unexpected_file" | "not_found";
        message: string;
    }[];
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type PromptListAnswer = {
    code: 200;
    message: "Success";
    data: {
        media_prompts: Prompt[];
        /** Of all that match, exactly. */
        total: number;
        /** For the next page; null on the last. */
        next_cursor: string | null;
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type Rendition = {
    rendition: "pcm8k" | "pcm16k" | "wav16" | "ulaw8k" | "ulaw" | "alaw" | "g722" | "mp3" | "opus";
    /** `pending`: made in a moment, or as soon as its url is asked for. `failed`: cannot be made of this recording. `unavailable`: this service makes none. */
    state: "ready" | "pending" | "failed" | "unavailable";
    /** Path that plays it, also while it is pending. */
    url: string;
    content_type: "audio/wav" | "application/octet-stream" | "audio/basic" | "audio/mpeg" | "audio/ogg";
    /** As ffprobe names it. */
    codec: string;
    /** Hz. */
    sample_rate: number;
    channels: number;
    /** Bytes; null until it is ready. */
    file_size: number | null;
    /** Null until it is ready. */
    sha256: string | null;
    /** Why it is failed or unavailable. */
    reason: string | null;
};
export type AudioReport = {
    /** Integrated loudness (EBU R 128); null in silence. */
    loudness_lufs: number | null;
    /** True peak; null in silence. */
    true_peak_dbtp: number | null;
    leading_silence_ms: number | null;
    trailing_silence_ms: number | null;
    decoded_duration_ms: number | null;
    warnings: {
        code: "too_quiet" | "clipped" | "long_silence" | "truncated" | "very_short" | "narrowband";
        message: string;
    }[];
};
export type PromptWithAudio = {
    /** What call flows refer to. */
    media_prompt_id: number;
    /** Path that plays the audio; nobody can guess it. */
    url: string;
    /** The display name, not the name of a file. */
    filename: string;
    /** Given by the service, unique for ever. */
    recording_name: string;
    name: string;
    message_type: "prompt" | "whisper" | "voicemail" | "survey";
    org_unit_id: number;
    recording_file_type: string;
    recording_created_by: number | null;
    /** As the client named the file. */
    original_filename: string | null;
    content_type: "audio/wav" | "audio/mpeg" | "audio/mp4" | "audio/ogg" | "audio/webm" | "audio/aac" | "audio/flac";
    /** Bytes. */
    file_size: number;
    sha256: string;
    container: "wav" | "mp3" | "mp4" | "ogg" | "webm" | "m4a" | "aac" | "flac";
    /** As ffprobe names it. */
    codec: string;
    /** Hz. */
    sample_rate: number | null;
    channels: number | null;
    duration_ms: number | null;
    description: string | null;
    created_on: string;
    modified_on: string;
    renditions: Rendition[];
    /** Null as long as nothing was measured. */
    audio_report: AudioReport | null;
};
export type PromptWithAudioAnswer = {
    code: 200;
    message: "Success";
    data: PromptWithAudio;
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type PromptDeletedAnswer = {
    code: 200;
    message: "Success";
    data: {
        media_prompt_id: number;
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type PlaybackAnswer = {
    code: 200;
    message: "Success";
    data: {
        /** For the engine; a path where PUBLIC_BASE_URL is not set. */
        url: string;
        engine: "asterisk" | "freeswitch" | "jambonz" | "twilio" | "plivo" | "vonage" | "bandwidth" | "sinch" | "amazon_connect" | "browser";
        band: "narrow" | "wide";
        rendition: "pcm8k" | "pcm16k" | "wav16" | "ulaw8k" | "ulaw" | "alaw" | "g722" | "mp3" | "opus";
        content_type: "audio/wav" | "application/octet-stream" | "audio/basic" | "audio/mpeg" | "audio/ogg";
        codec: "pcm_s16le" | "pcm_mulaw" | "pcm_alaw" | "adpcm_g722" | "mp3" | "opus";
        /** Hz. */
        sample_rate: number;
        /** Bytes. */
        file_size: number;
        /** For how long the engine keeps its copy; null when it keeps none or fetches nothing. */
        cache_seconds: number | null;
        warnings: {
            code: "relative_url" | "plain_http" | "token_required" | "not_fetched" | "not_cached" | "cached_longer" | "short_max_age" | "too_large" | "few_downloads" | "narrowband_only";
            message: string;
        }[];
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type WaveformAnswer = {
    code: 200;
    message: "Success";
    data: {
        buckets: number;
        duration_ms: number;
        /** The least and the largest value of each part. */
        peaks: never[][];
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type CapabilitiesAnswer = {
    code: 200;
    message: "Success";
    data: {
        /** What makes renditions; `none`: nothing does. */
        converter: "ffmpeg" | "wasm" | "none";
        version: string | null;
        /** Why it is this one. */
        reason: string;
        /** What may be uploaded. */
        formats: {
            container: "wav" | "mp3" | "mp4" | "ogg" | "webm" | "m4a" | "aac" | "flac";
            extension: string;
            content_type: string;
        }[];
        /** What recordings are converted to where there is a converter. */
        renditions: {
            rendition: "pcm8k" | "pcm16k" | "wav16" | "ulaw8k" | "ulaw" | "alaw" | "g722" | "mp3" | "opus";
            extension: "wav" | "wav16" | "ulaw" | "alaw" | "g722" | "mp3" | "ogg";
            content_type: "audio/wav" | "application/octet-stream" | "audio/basic" | "audio/mpeg" | "audio/ogg";
            codec: "pcm_s16le" | "pcm_mulaw" | "pcm_alaw" | "adpcm_g722" | "mp3" | "opus";
            /** Hz. */
            sample_rate: number;
            channels: number;
        }[];
        /** What renditions are brought to; null: their level stays as it is. */
        loudness_lufs: number | null;
        limits: {
            max_upload_bytes: number;
            /** Characters. */
            max_name_length: number;
            max_waveform_buckets: number;
        };
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type OrgUnit = {
    org_unit_id: number;
    name: string;
    /** The unit that it is directly below; null for the unit of the token. */
    parent_id: number | null;
    /** Names from the unit of the token down to this one. */
    path: string[];
};
export type OrgUnitListAnswer = {
    code: 200;
    message: "Success";
    data: {
        org_units: OrgUnit[];
        /** Of all that match, exactly. */
        total: number;
    };
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type OrgUnitAnswer = {
    code: 200;
    message: "Success";
    data: OrgUnit;
    /** The same as in the x-request-id header and in the log. */
    request_id: string;
    timestamp: string;
};
export type MediaUpload = {
    /** The audio: WAV, MP3, MP4, Ogg, WebM, M4A, AAC or FLAC. Its bytes decide what it is, not its name or type. */
    File: Blob;
    /** For people; empty is the same as none. */
    Description?: string;
};
export type Media = {
    id: string;
    /** Given by the service, unique for ever. */
    fileName: string;
    originalFileName: string;
    fileSizeBytes: number;
    contentType: "audio/wav" | "audio/mpeg" | "audio/mp4" | "audio/ogg" | "audio/webm" | "audio/aac" | "audio/flac";
    createdTime: string;
    description: string | null;
};
export type Problem = {
    /** Says what the status means. */
    "type": string;
    title: string;
    status: number;
    /** One sentence for a person. */
    detail: string;
    /** The path of the request. */
    instance: string;
    /** The fields at fault, where fields are to blame. */
    errors?: {
        [key: string]: string[];
    };
    /** The same as in the x-request-id header and in the log. */
    traceId: string;
};
export type MediaList = Media[];
export type MediaChange = {
    description?: string | null;
};
export type Health = {
    status: "ok";
};
export type Readiness = {
    status: "ready" | "not ready";
    checks: {
        /** Not asked when too many wait for it. */
        database: "ok" | "unavailable" | "unknown";
        blobs: "ok" | "unavailable";
        event_loop: "ok" | "overloaded";
        database_pool: "ok" | "overloaded";
        memory: "ok" | "overloaded";
        /** With DATABASE_READ_URL: whether lists are read there. The service works without. */
        replica?: "used" | "behind" | "away";
    };
};
/**
 * Upload a prompt
 */
export function uploadPrompt(promptUpload: PromptUpload, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 201;
        data: PromptAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 403;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    } | {
        status: 507;
        data: Error;
    }>("/v3/media-prompts", oazapfts.multipart({
        ...opts,
        method: "POST",
        body: promptUpload
    }));
}
/**
 * List prompts
 */
export function listPrompts({ orgUnitId, messageType, name, limit, offset, sortBy, sortOrder, cursor }: {
    orgUnitId?: number;
    messageType?: "prompt" | "whisper" | "voicemail" | "survey";
    name?: string;
    limit?: number;
    offset?: number;
    sortBy?: "created_on" | "name" | "message_type" | "duration_ms" | "file_size";
    sortOrder?: "asc" | "desc";
    cursor?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: PromptListAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts${QS.query(QS.explode({
        org_unit_id: orgUnitId,
        message_type: messageType,
        name,
        limit,
        offset,
        sort_by: sortBy,
        sort_order: sortOrder,
        cursor
    }))}`, {
        ...opts
    });
}
/**
 * List prompts (alias)
 */
export function listPromptsAlias({ orgUnitId, messageType, name, limit, offset, sortBy, sortOrder, cursor }: {
    orgUnitId?: number;
    messageType?: "prompt" | "whisper" | "voicemail" | "survey";
    name?: string;
    limit?: number;
    offset?: number;
    sortBy?: "created_on" | "name" | "message_type" | "duration_ms" | "file_size";
    sortOrder?: "asc" | "desc";
    cursor?: string;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: PromptListAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts/list${QS.query(QS.explode({
        org_unit_id: orgUnitId,
        message_type: messageType,
        name,
        limit,
        offset,
        sort_by: sortBy,
        sort_order: sortOrder,
        cursor
    }))}`, {
        ...opts
    });
}
/**
 * Get a prompt
 */
export function getPrompt(mediaPromptId: number, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: PromptWithAudioAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts/${encodeURIComponent(mediaPromptId)}`, {
        ...opts
    });
}
/**
 * Delete a prompt
 */
export function deletePrompt(mediaPromptId: number, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: PromptDeletedAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 403;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts/${encodeURIComponent(mediaPromptId)}`, {
        ...opts,
        method: "DELETE"
    });
}
/**
 * Get the url of a prompt for an engine
 */
export function getPlayback(mediaPromptId: number, engine: "asterisk" | "freeswitch" | "jambonz" | "twilio" | "plivo" | "vonage" | "bandwidth" | "sinch" | "amazon_connect" | "browser", { band }: {
    band?: "narrow" | "wide";
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: PlaybackAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 501;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts/${encodeURIComponent(mediaPromptId)}/playback${QS.query(QS.explode({
        engine,
        band
    }))}`, {
        ...opts
    });
}
/**
 * Get the waveform of a prompt
 */
export function getWaveform(mediaPromptId: number, { buckets }: {
    buckets?: number;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: WaveformAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 501;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/media-prompts/${encodeURIComponent(mediaPromptId)}/waveform${QS.query(QS.explode({
        buckets
    }))}`, {
        ...opts
    });
}
/**
 * Get what this service can do
 */
export function getCapabilities(opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: CapabilitiesAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/v3/capabilities", {
        ...opts
    });
}
/**
 * List org units
 */
export function listOrgUnits({ name, ids, limit, offset }: {
    name?: string;
    ids?: string;
    limit?: number;
    offset?: number;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: OrgUnitListAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/org-units${QS.query(QS.explode({
        name,
        ids,
        limit,
        offset
    }))}`, {
        ...opts
    });
}
/**
 * Get an org unit
 */
export function getOrgUnit(orgUnitId: number, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: OrgUnitAnswer;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 429;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/v3/org-units/${encodeURIComponent(orgUnitId)}`, {
        ...opts
    });
}
/**
 * Upload a media file
 */
export function uploadMedia(mediaUpload: MediaUpload, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 201;
        data: Media;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 403;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 413;
        data: Problem;
    } | {
        status: 415;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    } | {
        status: 507;
        data: Problem;
    }>("/api/v1/media", oazapfts.multipart({
        ...opts,
        method: "POST",
        body: mediaUpload
    }));
}
/**
 * List media files
 */
export function listMedia({ page, pageSize }: {
    page?: number;
    pageSize?: number;
} = {}, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: MediaList;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media${QS.query(QS.explode({
        page,
        pageSize
    }))}`, {
        ...opts
    });
}
/**
 * Get a media file
 */
export function getMedia(id: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Media;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media/${encodeURIComponent(id)}`, {
        ...opts
    });
}
/**
 * Change the description
 */
export function changeMedia(id: string, mediaChange: MediaChange, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Media;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 403;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 408;
        data: Problem;
    } | {
        status: 413;
        data: Problem;
    } | {
        status: 415;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media/${encodeURIComponent(id)}`, oazapfts.json({
        ...opts,
        method: "PATCH",
        body: mediaChange
    }));
}
/**
 * Delete a media file
 */
export function deleteMedia(id: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 204;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 403;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 413;
        data: Problem;
    } | {
        status: 415;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media/${encodeURIComponent(id)}`, {
        ...opts,
        method: "DELETE"
    });
}
/**
 * Get the audio
 */
export function getMediaContent(id: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Blob;
    } | {
        status: 206;
        data: Blob;
    } | {
        status: 302;
    } | {
        status: 304;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 412;
        data: Problem;
    } | {
        status: 416;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media/${encodeURIComponent(id)}/content`, {
        ...opts
    });
}
/**
 * Get the headers of the audio
 */
export function headMediaContent(id: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
    } | {
        status: 304;
    } | {
        status: 400;
        data: Problem;
    } | {
        status: 401;
        data: Problem;
    } | {
        status: 404;
        data: Problem;
    } | {
        status: 412;
        data: Problem;
    } | {
        status: 429;
        data: Problem;
    } | {
        status: 431;
        data: Problem;
    } | {
        status: 500;
        data: Problem;
    } | {
        status: 503;
        data: Problem;
    }>(`/api/v1/media/${encodeURIComponent(id)}/content`, {
        ...opts,
        method: "HEAD"
    });
}
/**
 * Play a recording or a rendition of it
 */
export function play(file: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Blob;
    } | {
        status: 206;
        data: Blob;
    } | {
        status: 302;
    } | {
        status: 304;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 412;
        data: Error;
    } | {
        status: 416;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 501;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/uploads/call-flow-recordings/${encodeURIComponent(file)}`, {
        ...opts
    });
}
/**
 * Ask for the headers of a recording
 */
export function playHead(file: string, opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
    } | {
        status: 304;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 401;
        data: Error;
    } | {
        status: 404;
        data: Error;
    } | {
        status: 412;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 500;
        data: Error;
    } | {
        status: 501;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>(`/uploads/call-flow-recordings/${encodeURIComponent(file)}`, {
        ...opts,
        method: "HEAD"
    });
}
/**
 * Is the process alive?
 */
export function health(opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Health;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 503;
        data: Error;
    }>("/healthz", {
        ...opts
    });
}
/**
 * Do the database and the store answer, and is there room for more work?
 */
export function readiness(opts?: Oazapfts.RequestOpts) {
    return oazapfts.fetchJson<{
        status: 200;
        data: Readiness;
    } | {
        status: 400;
        data: Error;
    } | {
        status: 431;
        data: Error;
    } | {
        status: 503;
        data: Readiness | Error;
    }>("/readyz", {
        ...opts
    });
}
