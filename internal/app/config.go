package app

import (
	"io/fs"
	"log/slog"
	"time"
)

// Config is all that can be set, in one place. A new setting is a new field here and nothing else: the tags are what
// the command line, [Load] and the README's table are made from.
//
//	name    the flag; FILELOFT_ and the name in capitals is the variable
//	type    how the text is read, one of the readers in value.go
//	min     smallest size, count or duration that makes sense
//	choices the words that are accepted, for types choice and words
//	secret  the value is in no log and no error
//	also    another variable, read where ours is not set
//	unset   what the table says in place of an empty default
type Config struct {
	Bind             string        `name:"bind" type:"address" default:"0.0.0.0:8080" placeholder:"HOST:PORT" group:"Listening:" help:"Address to listen on. Sockets that systemd hands over (LISTEN_FDS) go before it."`
	BasePath         string        `name:"base-path" type:"path" default:"/files/" placeholder:"PATH" group:"Listening:" help:"Path under which uploads live."`
	BaseURL          string        `name:"base-url" type:"origin" unset:"from the request" placeholder:"URL" group:"Listening:" help:"Public origin for Location, such as https://uploads.example.com."`
	BehindProxy      bool          `name:"behind-proxy" type:"switch" default:"false" group:"Listening:" help:"Trust Forwarded and X-Forwarded-Proto, -Host, -Port and -Prefix."`
	EnableH2C        bool          `name:"enable-h2c" type:"switch" default:"false" group:"Listening:" help:"Take HTTP/2 without TLS too, as a proxy that ends TLS may send it."`
	UnixSocket       string        `name:"unix-socket" type:"socket" unset:"none" placeholder:"PATH" group:"Listening:" help:"Unix socket to listen on instead of the address. A stale file there is replaced. Not together with TLS."`
	UnixSocketMode   fs.FileMode   `name:"unix-socket-mode" type:"mode" unset:"by the umask" placeholder:"MODE" group:"Listening:" help:"Permissions of the socket file, that is, who may connect, such as 0660."`
	TLSCert          string        `name:"tls-cert" type:"text" unset:"none" placeholder:"FILE" group:"Listening:" help:"Certificate with its chain, in PEM: serve HTTPS, with HTTP/2. It is read again when its file or the key's changes."`
	TLSKey           string        `name:"tls-key" type:"text" unset:"none" placeholder:"FILE" group:"Listening:" help:"The certificate's key, in PEM."`
	TLSMode          string        `name:"tls-mode" type:"choice" choices:"tls12,tls13" default:"tls12" placeholder:"NAME" group:"Listening:" help:"Oldest version of TLS that is taken."`
	HeaderTimeout    time.Duration `name:"header-timeout" type:"duration" min:"1" default:"10s" placeholder:"TIME" group:"Listening:" help:"How long a client may take to send a request's headers."`
	BodyTimeout      time.Duration `name:"body-timeout" type:"duration" min:"1" default:"60s" placeholder:"TIME" group:"Listening:" help:"How long a request's body may stand still; what has arrived is kept."`
	KeepAliveTimeout time.Duration `name:"keep-alive-timeout" type:"duration" min:"1" default:"120s" placeholder:"TIME" group:"Listening:" help:"How long an unused connection stays open."`
	RequestTimeout   time.Duration `name:"request-timeout" type:"duration" min:"1" unset:"none" placeholder:"TIME" group:"Listening:" help:"After what time the platform ends a request, whatever it does. Before that a request stops reading, commits what it has, and answers with the offset."`
	ShutdownTimeout  time.Duration `name:"shutdown-timeout" type:"duration" default:"10s" placeholder:"TIME" group:"Listening:" help:"Time to stop in after SIGTERM. In its last quarter, and for a second at least, requests stop reading and their bytes are committed."`

	MaxSize     int64         `name:"max-size" type:"size" min:"1" unset:"no limit" placeholder:"SIZE" group:"Limits:" help:"Largest upload: bytes, or with a unit, 10GiB or 10GB."`
	MaxChunk    int64         `name:"max-chunk" type:"size" min:"1" unset:"no limit" placeholder:"SIZE" group:"Limits:" help:"Largest request body, told to clients."`
	MaxMetadata int64         `name:"max-metadata" type:"size" min:"1" max:"524288" default:"8KiB" placeholder:"SIZE" group:"Limits:" help:"Largest Upload-Metadata header."`
	MaxParts    int64         `name:"max-parts" type:"count" min:"1" max:"100000" default:"1000" placeholder:"N" group:"Limits:" help:"Most partial uploads in one concatenation."`
	LockTimeout time.Duration `name:"lock-timeout" type:"duration" default:"20s" placeholder:"TIME" group:"Limits:" help:"How long a request waits for a busy upload before it is answered 423."`
	LeaseTTL    time.Duration `name:"lease-ttl" type:"duration" min:"1" default:"6s" placeholder:"TIME" group:"Limits:" help:"How long the upload of a writer that died stays reserved for it, as others see it. Clients' retries must outlast it."`

	CheckpointInterval time.Duration `name:"checkpoint-interval" type:"duration" min:"1" default:"2s" placeholder:"TIME" group:"Limits:" help:"How often a body is committed while it arrives. What a crash can cost a client to send again."`
	CheckpointSize     int64         `name:"checkpoint-size" type:"size" min:"1" default:"64MiB" placeholder:"SIZE" group:"Limits:" help:"A body is also committed each time that so much of it has arrived."`

	DisableCreation           bool          `name:"disable-creation" type:"switch" default:"false" group:"Extensions:" help:"Answer POST with 404."`
	DisableCreationWithUpload bool          `name:"disable-creation-with-upload" type:"switch" default:"false" group:"Extensions:" help:"Take no bytes in the request that creates an upload."`
	DisableDeferLength        bool          `name:"disable-defer-length" type:"switch" default:"false" group:"Extensions:" help:"Insist on the length when an upload is created."`
	DisableChecksum           bool          `name:"disable-checksum" type:"switch" default:"false" group:"Extensions:" help:"Verify no Upload-Checksum."`
	DisableTermination        bool          `name:"disable-termination" type:"switch" default:"false" group:"Extensions:" help:"Let clients delete nothing."`
	EnableDownload            bool          `name:"enable-download" type:"switch" default:"false" group:"Extensions:" help:"Serve finished uploads on GET."`
	EnableConcatenation       bool          `name:"enable-concatenation" type:"switch" default:"false" group:"Extensions:" help:"Let clients join partial uploads."`
	CleanupConcatPartials     bool          `name:"enable-cleanup-concat-partials" type:"switch" default:"false" group:"Extensions:" help:"Remove partial uploads once they are joined. Needs concatenation."`
	EnableExpiration          bool          `name:"enable-expiration" type:"switch" default:"false" group:"Extensions:" help:"Remove unfinished uploads that nobody continues."`
	ExpirationTTL             time.Duration `name:"expiration-ttl" type:"duration" min:"1" default:"24h" placeholder:"TIME" group:"Extensions:" help:"How long after its last progress an unfinished upload expires, where expiration is on."`
	ExpireFinished            bool          `name:"expire-finished" type:"switch" default:"false" group:"Extensions:" help:"Remove finished uploads too, at the time that they would have had unfinished. Needs expiration."`

	DisableCORS          bool          `name:"disable-cors" type:"switch" default:"false" group:"Browsers (CORS):" help:"Send no CORS headers."`
	CORSAllowOrigin      []string      `name:"cors-allow-origin" type:"origins" unset:"*" placeholder:"LIST" group:"Browsers (CORS):" help:"Origins that may upload: * for any, or a comma list, with * inside a host as in https://*.example.com."`
	CORSAllowCredentials bool          `name:"cors-allow-credentials" type:"switch" default:"false" group:"Browsers (CORS):" help:"Let browsers send cookies. Needs a list of origins."`
	CORSAllowHeaders     []string      `name:"cors-allow-headers" type:"list" unset:"none" placeholder:"LIST" group:"Browsers (CORS):" help:"Request headers to allow besides the built-in ones."`
	CORSExposeHeaders    []string      `name:"cors-expose-headers" type:"list" unset:"none" placeholder:"LIST" group:"Browsers (CORS):" help:"Answer headers to expose besides the built-in ones."`
	CORSMaxAge           time.Duration `name:"cors-max-age" type:"duration" default:"24h" placeholder:"TIME" group:"Browsers (CORS):" help:"How long a browser may remember a preflight's answer; 0 leaves it to the browser."`

	Storage    string `name:"storage" type:"choice" choices:"fs,s3,gcs,azure" default:"fs" placeholder:"NAME" group:"Stores:" help:"Where bytes go: fs, files in the data directory; s3; gcs; or azure."`
	State      string `name:"state" type:"choice" choices:"sqlite,dynamodb,firestore,table,memory" unset:"sqlite, or the storage's own cloud's" placeholder:"NAME" group:"Stores:" help:"Where records go: sqlite, dynamodb (which belongs to s3), firestore (to gcs), table (to azure), or memory, which forgets all uploads at the end of the process."`
	DataDir    string `name:"data-dir" type:"text" unset:"/var/lib/fileloft if it is writable, else ./data" placeholder:"DIR" group:"Stores:" help:"Directory for files and records."`
	SQLiteFile string `name:"sqlite-file" type:"text" unset:"fileloft.db in the data directory" placeholder:"FILE" group:"Stores:" help:"The database file. On a local disk: not on a network share."`
	FSSync     bool   `name:"fs-sync" type:"switch" default:"on" group:"Stores:" help:"Force bytes and records to the disk before they are acknowledged. Off: a power cut, not a crash of the server, may lose some."`
	FSVerify   string `name:"fs-verify" type:"choice" choices:"auto,on,off" default:"auto" placeholder:"WHEN" group:"Stores:" help:"Read a finished file back and compare it with its CRC-32C before anybody can see it: on, off, or auto, which goes with fs-sync."`
	SHA256     bool   `name:"sha256" type:"switch" default:"false" group:"Stores:" help:"Keep a SHA-256 of every upload beside its CRC-32C."`

	SweepInterval time.Duration `name:"sweep-interval" type:"duration" default:"10m" placeholder:"TIME" group:"Stores:" help:"Pause between two sweeps, which remove what has expired and finish what a crash cut short; 0 leaves sweeping to the sweep command."`

	S3Bucket         string        `name:"s3-bucket" type:"text" unset:"none" placeholder:"NAME" group:"Amazon S3 and stores like it:" help:"The bucket. Credentials come from where AWS's own tools find them."`
	S3Prefix         string        `name:"s3-prefix" type:"text" unset:"none" placeholder:"TEXT" group:"Amazon S3 and stores like it:" help:"Put in front of each finished object's key, such as uploads/."`
	S3Endpoint       string        `name:"s3-endpoint" type:"origin" unset:"Amazon's" placeholder:"URL" group:"Amazon S3 and stores like it:" help:"Address of a store that speaks S3."`
	S3Region         string        `name:"s3-region" type:"text" also:"AWS_REGION" unset:"from AWS's configuration" placeholder:"NAME" group:"Amazon S3 and stores like it:" help:"The bucket's region."`
	S3ForcePathStyle bool          `name:"s3-force-path-style" type:"switch" default:"false" group:"Amazon S3 and stores like it:" help:"Name the bucket in the path instead of the host, as most other stores want it."`
	S3PartSize       int64         `name:"s3-part-size" type:"size" min:"5242880" max:"5368709120" default:"8MiB" placeholder:"SIZE" group:"Amazon S3 and stores like it:" help:"Size of a part. It is raised to a multiple of an upload's first body where that is shorter, to 16 MiB where that is long, and for uploads that would need more than 8,000 parts."`
	S3UniformParts   bool          `name:"s3-uniform-parts" type:"switch" default:"false" group:"Amazon S3 and stores like it:" help:"Never change the part size within an upload, as Cloudflare R2 wants it."`
	S3Parallel       int64         `name:"s3-parallel" type:"count" min:"1" max:"64" default:"4" placeholder:"N" group:"Amazon S3 and stores like it:" help:"How many parts of one body are sent at once."`
	S3Memory         int64         `name:"s3-memory" type:"size" min:"16777216" default:"256MiB" placeholder:"SIZE" group:"Amazon S3 and stores like it:" help:"What all bodies together may hold in memory on their way to the store."`
	S3Unconditional  bool          `name:"s3-unconditional" type:"switch" default:"false" group:"Amazon S3 and stores like it:" help:"For stores without If-None-Match on writes: ask whether a key is taken beforehand, which is not quite safe."`
	S3SSE            string        `name:"s3-sse" type:"choice" choices:"AES256,aws:kms,aws:kms:dsse" unset:"the bucket's" placeholder:"NAME" group:"Amazon S3 and stores like it:" help:"Encryption at rest."`
	S3KMSKey         string        `name:"s3-kms-key" type:"text" unset:"the account's" placeholder:"ARN" group:"Amazon S3 and stores like it:" help:"The key for aws:kms and aws:kms:dsse."`
	S3StorageClass   string        `name:"s3-storage-class" type:"text" unset:"the store's" placeholder:"NAME" group:"Amazon S3 and stores like it:" help:"Storage class of finished objects, such as INTELLIGENT_TIERING."`
	S3Tagging        string        `name:"s3-tagging" type:"text" unset:"none" placeholder:"TAGS" group:"Amazon S3 and stores like it:" help:"Tags of finished objects, as a query string: project=x&kind=y."`
	S3LinkTTL        time.Duration `name:"s3-link-ttl" type:"duration" min:"1" default:"15m" placeholder:"TIME" group:"Amazon S3 and stores like it:" help:"How long the signed URL of a download lives."`

	DynamoDBTable    string `name:"dynamodb-table" type:"text" default:"fileloft" placeholder:"NAME" group:"Amazon DynamoDB:" help:"The table, made by the project's templates or by fileloft state init."`
	DynamoDBEndpoint string `name:"dynamodb-endpoint" type:"origin" unset:"Amazon's" placeholder:"URL" group:"Amazon DynamoDB:" help:"Address of a server that speaks DynamoDB."`

	GCSBucket       string        `name:"gcs-bucket" type:"text" unset:"none" placeholder:"NAME" group:"Google Cloud Storage:" help:"The bucket. Credentials are the application default ones."`
	GCSPrefix       string        `name:"gcs-prefix" type:"text" unset:"none" placeholder:"TEXT" group:"Google Cloud Storage:" help:"Put in front of each finished object's name, such as uploads/."`
	GCSEndpoint     string        `name:"gcs-endpoint" type:"origin" unset:"Google's" placeholder:"URL" group:"Google Cloud Storage:" help:"Address of a server that speaks the JSON API, asked without credentials; STORAGE_EMULATOR_HOST is understood too."`
	GCSChunkSize    int64         `name:"gcs-chunk-size" type:"size" min:"262144" max:"268435456" default:"8MiB" placeholder:"SIZE" group:"Google Cloud Storage:" help:"What a body holds in memory on its way to the store, a multiple of 256 KiB."`
	GCSStorageClass string        `name:"gcs-storage-class" type:"text" unset:"the bucket's" placeholder:"NAME" group:"Google Cloud Storage:" help:"Storage class of finished objects, such as NEARLINE."`
	GCSLinkTTL      time.Duration `name:"gcs-link-ttl" type:"duration" min:"1" default:"15m" placeholder:"TIME" group:"Google Cloud Storage:" help:"How long the signed URL of a download lives."`

	FirestoreProject    string `name:"firestore-project" type:"text" also:"GOOGLE_CLOUD_PROJECT" unset:"the credentials'" placeholder:"ID" group:"Google Firestore:" help:"The project of the database. FIRESTORE_EMULATOR_HOST is understood too."`
	FirestoreDatabase   string `name:"firestore-database" type:"text" default:"(default)" placeholder:"ID" group:"Google Firestore:" help:"The database."`
	FirestoreCollection string `name:"firestore-collection" type:"text" default:"fileloft" placeholder:"NAME" group:"Google Firestore:" help:"The collection of records."`

	AzureContainer        string        `name:"azure-container" type:"text" unset:"none" placeholder:"NAME" group:"Azure Storage:" help:"The container for blobs."`
	AzurePrefix           string        `name:"azure-prefix" type:"text" unset:"none" placeholder:"TEXT" group:"Azure Storage:" help:"Put in front of each finished blob's name, such as uploads/."`
	AzureTable            string        `name:"azure-table" type:"text" default:"fileloft" placeholder:"NAME" group:"Azure Storage:" help:"The table for records, made by the project's templates or by fileloft state init."`
	AzureConnectionString string        `name:"azure-connection-string" type:"text" secret:"true" also:"AZURE_STORAGE_CONNECTION_STRING" unset:"none" placeholder:"TEXT" group:"Azure Storage:" help:"The account with its key, for blobs and table. It goes before the account's name."`
	AzureAccount          string        `name:"azure-account" type:"text" also:"AZURE_STORAGE_ACCOUNT" unset:"none" placeholder:"NAME" group:"Azure Storage:" help:"The account's name, without a key: a managed identity or what else Azure's default credential finds."`
	AzureBlockSize        int64         `name:"azure-block-size" type:"size" min:"65536" max:"4194304000" default:"8MiB" placeholder:"SIZE" group:"Azure Storage:" help:"Size of a block that is staged. It is raised for uploads that would need too many."`
	AzureParallel         int64         `name:"azure-parallel" type:"count" min:"1" max:"64" default:"4" placeholder:"N" group:"Azure Storage:" help:"How many blocks of one body are sent at once."`
	AzureMemory           int64         `name:"azure-memory" type:"size" min:"16777216" default:"256MiB" placeholder:"SIZE" group:"Azure Storage:" help:"What all bodies together may hold in memory on their way to the store."`
	AzureAccessTier       string        `name:"azure-access-tier" type:"choice" choices:"Hot,Cool,Cold,Archive" unset:"the account's" placeholder:"NAME" group:"Azure Storage:" help:"Access tier of finished blobs."`
	AzureLinkTTL          time.Duration `name:"azure-link-ttl" type:"duration" min:"1" default:"15m" placeholder:"TIME" group:"Azure Storage:" help:"How long the signed URL of a download lives."`

	HooksURL            string        `name:"hooks-url" type:"endpoint" secret:"true" unset:"none" placeholder:"URL" group:"Hooks:" help:"Who is told of uploads and asked about them, by signed CloudEvents: an http or https URL. See docs/hooks.md."`
	HooksEvents         []string      `name:"hooks-events" type:"words" choices:"created,progress,finished,terminated,access,pre-create,pre-finish,pre-terminate" unset:"created,finished,terminated" placeholder:"LIST" group:"Hooks:" help:"What to tell (created, progress, finished, terminated) and what to ask before it happens (access, which is every request, pre-create, pre-finish, pre-terminate)."`
	HooksSecret         []string      `name:"hooks-secret" type:"secrets" secret:"true" unset:"none" placeholder:"LIST" group:"Hooks:" help:"The key of the signatures, as in Standard Webhooks; two, with a comma between them, while the receiver goes from one to the other."`
	HooksForwardHeaders []string      `name:"hooks-forward-headers" type:"names" unset:"none" placeholder:"LIST" group:"Hooks:" help:"Request headers that access and pre-create show to the receiver, such as Authorization, Cookie."`
	HooksHeaders        []string      `name:"hooks-headers" type:"headers" secret:"true" unset:"none" placeholder:"LIST" group:"Hooks:" help:"Headers to send along, such as Authorization=Bearer%20token: NAME=VALUE, percent-encoded, with commas between them."`
	HooksSource         string        `name:"hooks-source" type:"reference" default:"/fileloft" placeholder:"URI" group:"Hooks:" help:"The source in the CloudEvents: what the receiver knows this service by."`
	HooksTimeout        time.Duration `name:"hooks-timeout" type:"duration" min:"1" default:"5s" placeholder:"TIME" group:"Hooks:" help:"How long the receiver may take to answer."`
	HooksAttempts       int64         `name:"hooks-attempts" type:"count" min:"1" max:"10" default:"3" placeholder:"N" group:"Hooks:" help:"How often a message is sent, the first time included, before a question fails, or an event waits for the next request or sweep."`

	MetricsBind  string `name:"metrics-bind" type:"address" unset:"off" placeholder:"HOST:PORT" group:"Metrics and traces:" help:"Address to serve Prometheus metrics on, under /metrics, such as 127.0.0.1:9090. Never on the address of the uploads."`
	EnablePprof  bool   `name:"enable-pprof" type:"switch" default:"false" group:"Metrics and traces:" help:"Serve profiles of the process under /debug/pprof/ at the address of the metrics."`
	EnableTraces bool   `name:"enable-traces" type:"switch" default:"false" group:"Metrics and traces:" help:"Send OpenTelemetry traces by OTLP over HTTP, as OTEL_EXPORTER_OTLP_ENDPOINT and the other OTEL_ variables say."`

	LogLevel  slog.Level `name:"log-level" type:"level" default:"info" also:"RUST_LOG" placeholder:"LEVEL" group:"Logs:" help:"Least severe log lines to write: trace, debug, info, warn, error or off."`
	LogFormat string     `name:"log-format" type:"choice" choices:"auto,text,json,google" default:"auto" placeholder:"NAME" group:"Logs:" help:"How log lines look: text, json, google, which is json as Google's Cloud Logging reads it, or auto, which is text on a terminal and else json."`
}
