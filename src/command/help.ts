/** The texts of `--help`: the most useful examples first, then every option. */

const ADDRESSES = `Addresses:
  /run/app.sock, ./app.sock, unix:PATH   a Unix socket
  @NAME                                  an abstract name (Linux; Node.js 22 or later)
  HOST:PORT, [::1]:PORT                  TCP
  :PORT                                  TCP on this machine only
  *:PORT                                 TCP on every interface, to listen on
  tls://HOST:PORT                        TLS over TCP`;

const CLIENT_TLS = `TLS of the connection:
  --starttls PROTOCOL    begin in plaintext and change to TLS: smtp, lmtp, imap, pop3, ftp, nntp, ldap, postgres
  --ca FILE              trust the certificates in FILE (PEM) instead of the system's
  --servername NAME      the name expected in the certificate; default: the host
  --insecure             accept any certificate`;

const GENERAL = `asyncio-streams: Unix sockets, TCP and TLS on the command line.

Usage:
  asyncio-streams connect ADDRESS                connect standard input and output to a server
  asyncio-streams serve ADDRESS -- COMMAND...    give each client a command, as inetd does
  asyncio-streams tap LISTEN TARGET              relay, and print what passes through
  asyncio-streams tap --in-place PATH            the same, in front of a server that runs
  asyncio-streams doctor PATH                    find out what is wrong with a Unix socket

Examples:
  printf 'PING\\r\\n' | asyncio-streams connect /run/redis/redis.sock
  asyncio-streams serve ./upper.sock -- tr a-z A-Z
  sudo asyncio-streams tap --in-place /run/docker.sock
  asyncio-streams doctor /run/app.sock

asyncio-streams connect --help, and so on, explains a subcommand.
asyncio-streams --version prints the version.

Exit codes: 0 success, 1 failure, 2 wrong usage, 124 time-out, 126 and 127 the command of serve cannot be executed or found,
130 and 143 ended by SIGINT or SIGTERM, 141 the reader of the output has ended.`;

const CONNECT = `asyncio-streams connect ADDRESS: standard input goes to a connection, and what comes back to standard output.

Examples:
  Ask a Redis server:
    printf 'PING\\r\\n' | asyncio-streams connect /run/redis/redis.sock
  Speak a line protocol by hand, with the line ends that it wants:
    asyncio-streams connect --crlf --starttls smtp mail.example.org:25
  Fetch a page over TLS:
    printf 'GET / HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n' | asyncio-streams connect tls://example.org:443
  Look at a binary protocol:
    asyncio-streams connect --hex localhost:9000 < request.bin
  Give up if a server does not answer:
    asyncio-streams connect --timeout 5 /run/app.sock < request || echo "exit code $?"

The end of the input is passed on as a half-close, and the answer is still received. TLS has no half-close: there, end the conversation
as the protocol wants (QUIT), or use --timeout. The command ends when the server ends.

${ADDRESSES}

Options:
  --crlf                 send a carriage return before each line feed
  --hex                  print what is received as a hex dump
  --timeout SECONDS      limit connecting, and each time without a byte in either direction; exit code 124
  --keep-open            do not pass the end of the input on
  -q, --quiet            show no progress on the terminal

${CLIENT_TLS}
  --cert FILE --key FILE the certificate of this client, and its key (PEM)`;

const SERVE = `asyncio-streams serve ADDRESS -- COMMAND...: each client gets the standard input and output of a COMMAND of its own.

Examples:
  Turn text into upper case:
    asyncio-streams serve ./upper.sock -- tr a-z A-Z
  Let only a group connect, four clients at a time:
    asyncio-streams serve --mode 660 --max-connections 4 /run/app/backup.sock -- tar -C /srv -cf - data
  A script that knows its client:
    asyncio-streams serve :7000 -- sh -c 'echo "you are $REMOTE_ADDR"'
  Send everything back:
    asyncio-streams serve --echo localhost:7777

No shell takes part: write sh -c '...' for one. Standard error of the COMMAND is that of this program. SIGTERM and SIGINT stop
listening; clients may finish within the grace period, and a second signal ends everything at once. The file of a Unix socket that a killed
server has left is replaced; that of a running server is not.

${ADDRESSES}

Options:
  --echo                 send back what is received, instead of a COMMAND
  --mode MODE            the mode of the socket file in octal digits, such as 660; default: as the umask has it
  --max-connections N    serve at most N clients at a time; others wait
  --grace SECONDS        how long clients may take to finish after a signal; default 5
  --cert FILE --key FILE the certificate of this server, and its key (PEM), for tls://
  -v, --verbose          report each client on standard error
  -q, --quiet            do not report the address

Environment of the COMMAND:
  PROTO                  TCP, TLS or UNIX
  REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR, SERVER_PORT   the addresses, with TCP and TLS
  SERVER_PATH            the path, with UNIX
  REMOTE_PID, REMOTE_UID, REMOTE_GID                   the client's process, with UNIX on Linux (Node.js: if koffi is installed)`;

const TAP = `asyncio-streams tap LISTEN TARGET: relays connections from LISTEN to TARGET, and prints what passes through.
asyncio-streams tap --in-place PATH: puts itself in front of the server that listens on PATH, and gives PATH back at the end.

Examples:
  See what a client says to Docker, without stopping anything:
    sudo asyncio-streams tap --in-place /run/docker.sock
  Through a socket of its own:
    asyncio-streams tap ./tapped.sock /run/docker.sock
    curl --unix-socket ./tapped.sock http://localhost/version
  Only the answers, as lines of JSON:
    asyncio-streams tap --json --only out ./tapped.sock localhost:6379 | jq .text
  See the plaintext of a TLS connection:
    asyncio-streams tap :8080 tls://example.org:443

Lines with > come from the client, those with < from the target. With --in-place, a client always reaches the server or the tap.
After a signal the connections go on until they end: for 5 s at most, in place without a limit. A second signal cuts them.

${ADDRESSES}

Options:
  --in-place             tap the live server on PATH, which need not be restarted
  --only in|out          show only what clients send, or only what they receive
  --format FORMAT        auto (default: text, or hex for what is not), text, hex or none
  --json                 one JSON object a line: time, connection, event, direction, bytes, text or base64
  --max-bytes N          show at most N bytes of each piece; default: 4096 of text, 512 as hex, with --json all
  --color WHEN           auto (default: on a terminal without NO_COLOR), always or never
  --mode MODE            the mode of the socket file of LISTEN in octal digits
  --grace SECONDS        how long connections may go on after a signal
  --cert FILE --key FILE the certificate of LISTEN, and its key (PEM), for tls://
  -q, --quiet            print only the transcript

${CLIENT_TLS}`;

const DOCTOR = `asyncio-streams doctor PATH: reports who listens on a Unix socket, what is wrong with it, and how to mend that.

Examples:
  asyncio-streams doctor /run/app.sock
  sudo asyncio-streams doctor /run/docker.sock     # also shows processes of other users
  asyncio-streams doctor --json /run/app.sock | jq .state

The exit code is 0 if there is no problem, and 1 if there is one; notes do not count. doctor connects once, and changes nothing.

Options:
  --json                 one JSON object instead of text`;

/** The texts by subcommand; an empty name is that of the whole command. */
export const HELP: Readonly<Record<string, string>> = { "": GENERAL, connect: CONNECT, serve: SERVE, tap: TAP, doctor: DOCTOR };
