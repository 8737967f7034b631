import process from 'node:process';
import express from 'express';
import multer from 'multer';
import { openUploads } from '../keep-file.ts';

/** Express and multer, with a storage engine that hashes and syncs. Arguments: folder, port, database url. */
const [folder = '.', port = '0', connectionString = ''] = process.argv.slice(2);
const uploads = await openUploads(folder, connectionString);
const storage = {
  _handleFile(_request, file, done) {
    uploads.keepFile(file.stream).then((kept) => done(null, kept), done);
  },
  _removeFile(_request, _file, done) {
    done(null);
  },
};
const upload = multer({ storage, limits: { fileSize: 52_428_800 } });

express()
  .post('/upload', upload.single('file'), async (request, response) => {
    const { id, path, sha256, size } = request.file;
    await uploads.keepRow(request.body.name, { id, path, sha256, size });
    response.status(201).json({ id, path, sha256, size });
  })
  .listen(Number(port), '127.0.0.1');
