"""Faults in what the house's broker lets in, and in whom its clients believe."""

from tests.mutants.words import Mutant

ATTACKED = "tests/gateway/test_broker_attacked.py"
LISTED = "tests/gateway/test_accesslist.py"
RADIO = "tests/gateway/test_radio_broker.py"
TLS = "tests/gateway/test_broker_tls.py"
WEAK = "tests/gateway/test_weakness.py"

MUTANTS = (
    Mutant(
        name="a bridge may say what everybody says",
        file="gateway/accesslist.py",
        old='own[account] = [f"readwrite {base}/#" for base in bases]',
        new='own[account] = ["readwrite #" for base in bases]',
        tests=(LISTED, ATTACKED),
    ),
    Mutant(
        name="home assistant commands devices",
        file="gateway/accesslist.py",
        old='"write perron/ha/+/set",',
        new='"write perron/#",',
        tests=(ATTACKED,),
    ),
    Mutant(
        name="a brand hears of another's deliveries",
        file="gateway/accesslist.py",
        old='f"read {result_topics(b)[0]}"',
        new='f"read {RESULT}/#"',
        tests=(LISTED, ATTACKED),
    ),
    Mutant(
        name="a guard that was taken over pairs devices",
        file="gateway/accesslist.py",
        old='f"write {base}/{levels}/{word}"',
        new='f"write {base}/#"',
        tests=(RADIO,),
    ),
    Mutant(
        name="a client takes the gateway's id",
        file="gateway/broker.py",
        old='yield "use_username_as_clientid true"',
        new='yield "use_username_as_clientid false"',
        tests=(ATTACKED, WEAK),
    ),
    Mutant(
        name="a listener beyond this machine speaks plainly",
        file="gateway/broker.py",
        old="if not listener.tls and not on_loopback(listener.host):",
        new="if listener is None:",
        tests=(TLS,),
    ),
    Mutant(
        name="mosquitto is not told of a renewal",
        file="gateway/broker.py",
        old="os.kill(int(process.name), signal.SIGHUP)",
        new="os.kill(int(process.name), 0)",
        tests=(TLS,),
    ),
    Mutant(
        name="a broker of another name is believed",
        file="gateway/brokertls.py",
        old="ours.sslsocket_class = Socket",
        new="ours.sslsocket_class, ours.check_hostname = Socket, False",
        tests=(TLS,),
    ),
    Mutant(
        name="a certificate is renewed when it has ended",
        file="gateway/authority.py",
        old="now < leaf.not_valid_after_utc - terms.renew",
        new="now < leaf.not_valid_after_utc",
        tests=(TLS,),
    ),
    Mutant(
        name="one password may stand for two accounts",
        file="gateway/weakness.py",
        old="elif password in known:",
        new="elif password in known and len(known) > 99:",
        tests=(WEAK,),
    ),
)
