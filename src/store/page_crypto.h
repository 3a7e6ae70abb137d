/* page_crypto.h - the cryptography of pages, made ready once for each connection.
 *
 *     SQLCipher --a page--> { random IV, AES-256-CBC, HMAC-SHA-256 } --> the same bytes as ever
 *
 * For each page SQLCipher's own code looks the algorithms up in OpenSSL, makes contexts and expands the
 * keys: at pages of 1 KB that is four fifths of the time. It lets a program put functions of its own in
 * their place (a *provider*); ours keep contexts and keys between pages. */
#ifndef XMTP_STORE_PAGE_CRYPTO_H
#define XMTP_STORE_PAGE_CRYPTO_H

#include "store/query.h" /* SQLite with sqlite3_key */

/* What PRAGMA cipher_provider says of a connection whose pages go through here. */
#define XMTP_PAGE_CRYPTO_NAME "openssl, kept ready"

/* sqlite3_key, before anything is read, for a connection whose pages go through here. Other
 * connections of the process, and those of versions of SQLCipher that are not known here, keep
 * SQLCipher's own functions: the file is the same. Returns SQLite's code. Any thread; what is
 * kept belongs to the connection, is wiped and freed with it, and is used by one thread at a time. */
int xmtp_page_crypto_key(sqlite3 *handle, const void *key, int key_len);

#endif
