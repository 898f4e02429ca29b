"""The words that may stand in a sentence that leaves the house.

They are those of our own errors, and of what PostgreSQL, connectors and HTTP say of what went
wrong: no names, no places, nothing that a column would hold.
"""

PLAIN_WORDS = """
a abort aborted aborting about above accept accepted access according account active actual adapter
add additional address administrator after again age airbyte alias all allow allowed allows alone
already although always among amount an analysed and another answer answered answers any api app
application apply are argument arguments array as ask asked asks at attempt attempts attribute
attributes authenticate authenticated authentication authorization authorized automatic available
away back backend backup bad base be bearer because become been before began begin being belongs
below beside better between big bigger bigint blanks block blocked blocks body boolean both broke
broken broker brokers bucket buffer bug built bundle busy but by byte bytes cache call called calls
can cancel canceled canceling cancellation cancelled cannot case cast catalog caught cause caused
certificate certificates change changed channel char character characters chart check checked
checkpoint checkpoints checks checksum child choose chunk class client clients close closed closing
cloud cluster code colon column columns command commands commit commits committed compare complete
completed component compressed concurrent condition conditions config configuration configured
conflict conflicts connect connected connecting connection connections connector connectors
consistent constraint constraints consumer contain container contains content contents context
continue control conversion convert converted correct corrupt corrupted could count counted counts
cpu crash crashed create created creating credential credentials current currently cursor cursors
custom damaged data database databases dataframe date day days deadlock decimal declared decode
decoded deep default defined definition delay delete deleted deliveries delivery denied deny depend
depends depth derived describes destination detail detected device did difference different digit
digits directory disabled disconnected discovered disk division docs document documents does doing
domain done double down downloaded drive driver drop dropped due duplicate duplicated duplicates
during each effect either elements else embedded empty enable encode encoded encoding encountered
end ended endpoint endpoints ends enough ensure entity entries entry env environment equal error
errors even event events ever every exactly example exceed exceeded exceeds except exception
exceptions exclusive executable execute executed executing execution exist existing exists exit
exited exits expect expected expired expires explore expression extend extension external extra
extract extracted fail failed fails failure failures false fatal fetch fetched fetching fewer field
fields file files filled find finds finished first fit fix flags float folder for forbidden foreign
format formats found frames from full function further gate gateway gave general generated
generation get give given go good grant granted greater group had half handle handled hands
handshake has hash hashed hashes have having header headers heap heartbeat help here hint history
hold holds hook host hosts hour hours how however http https id identifier ids if ignore ignored
illegal image implemented import in inactive include included includes incomplete inconsistent
incorrect index indexes infinity information initialize initialized input insert inserted inside
install installed installs instant instead insufficient integer integrity interface internal
internally interrupted interval into invalid is issue it item items its itself job jobs join json
just keep keeps key keys killed kind know known knows land landing large larger largest last late
later latest layer leader least leave left length less let letters level library license like limit
limits line lineage lines list listen listening lists load loaded loading local location lock locked
locks log login logs long longer look lookup loop lost low machine made main maintenance make makes
malformed manifest manually many map mapping marked match matched matches matching materialize
maximum may mean means media member memory merge message messages meta metadata method methods
middle might migration milliseconds minimum minute minutes mismatch missing mistake mixes mode model
module moment month months more most move moved much multiple must name names namespace nan natural
navigate near need needed needs negative neither nested network never new newer next no node nodes
non none nor normal not notation noted nothing notice notices now null number object objects
occurred of offline offset offsets old older on once one online only open opened opening operation
operations operator option options or order ordinary original other others otherwise out output
outside over overflow overlap overwrite own owner owns pack package page pages pair parallel
parameter parameters parent parse parsed parser parsing part partial partition partitions parts
passed password past patch path patterns payload peer pending per percent percentage perform
performed period permission permissions permitted personal pii pipe place plain platform please
point policy pool pooler port position positive possible post precision predefined prefix preparing
present prevent previous primary printed private privilege privileges problem problems procedure
process processed processes processing produce producer program prohibited project properties
property protocol provide provided provider provision proxy public publication publish published
pull push put quality queries query queue queued quickly quota quotes raises ran range rate rates
reach reachable reached read readable reads ready really reason rebuild receive received receiver
receiving recent recently recognizer recognizers reconnect record records recover recovery recursion
redirect reference refresh refused refuses region register registered regular rejected related
relation relations release remaining remote remove removed rename repeat replace replaced replica
replication report reported reports repository request requested requests require required requires
reserved reset resolution resolve resource resources respond response responses rest restart
restarted restore result results retried retries retry return returned returns reuse revoked right
role roles rollback rolled root row rows rule rules run running runs safe same sandbox save saved
says scan schedule scheduled schema schemas scope score script scripts search second seconds section
secure security see seems segment segments select selected selection send sending sends sent
sequence serializable serialization serialize server servers serves service services session
sessions set setting settings setup several shape share shared short should show shows shut shutdown
shutting signal silent similar simple since single size sizes skip skipped slot slots slow slug
small smaller snapshot so socket some something soon source sources space special specified split
ssl stable stack stage stale standard stands start started starting starts state statement
statements states status stays step still stop stopped stopping stops storage store stored stream
streams strict string structure subject subscription succeeded success successful successfully such
superuser support supported supports sync synced syncing syncs syntax system table tables tag tags
takes task tasks tells template temporarily temporary terminate terminated terminating termination
test tested tests text texts than that the them then there these they thing third this those thread
threads three threshold throttled through thrown thus time timed timeout timeouts times timestamp
timestamps to token too tool top topic total trace transaction transactions transfer transform
transient transport tried tries trigger triggers true truncate truncated trusted try tuple twice two
type types unable unauthorized unavailable undefined under unexpected unexpectedly unfinished unfit
union unique unit unknown unless unlocked unreachable unrecognized unsuccessful unsupported until
unusable up update updated updates upgrade upload url us usage use used user username uses using utf
valid validate validated validation value values variable variables varying verification verified
verify version versions via view violates violation violations wait waited waiting wants warehouse
warning was watched way web webhook went were what when where whether which while whole whose why
width will window with within without word words work worker workers working works workspace worse
would writable write writer writes writing written wrong years yes yet your zero zone
"""

ACRONYMS = """
API CDC CPU CSV DNS EOF ERROR FATAL GET HTTP HTTPS ID IO IP JDBC JSON JWT NOT NULL ODBC OOM PII POST
PUT RAM SQL SSH SSL TCP TLS URI URL UTC UTF WARNING YAML
"""
