"""Faults in what the house's broker lets in, and in whom its clients believe."""

from tests.mutants.mutant import Mutant

ATTACKED = "tests/gateway/mqtt/test_broker_attacked.py"
LISTED = "tests/gateway/config/test_broker_acl.py"
RADIO = "tests/gateway/test_radio_broker.py"
TLS = "tests/gateway/mqtt/test_broker_tls.py"
FOLDER = "tests/gateway/mqtt/mosquitto/test_folder_check.py"

MUTANTS = (
    Mutant(
        name="a bridge may say what everybody says",
        file="gateway/config/broker_acl.py",
        old='own[account] = [f"readwrite {base}/#" for base in bases]',
        new='own[account] = ["readwrite #" for base in bases]',
        tests=(LISTED, ATTACKED),
    ),
    Mutant(
        name="home assistant commands devices",
        file="gateway/config/broker_acl.py",
        old=('        f"read {topics.BRIDGE_STATE}",\n        "write perron/ha/+/set",\n'),
        new=('        f"read {topics.BRIDGE_STATE}",\n        "write perron/#",\n'),
        tests=(ATTACKED,),
    ),
    Mutant(
        name="a brand hears of another's deliveries",
        file="gateway/config/broker_acl.py",
        old='f"read {topics.result_topics(b)[0]}"',
        new='f"read {topics.RESULT_TOPIC}/#"',
        tests=(LISTED, ATTACKED),
    ),
    Mutant(
        name="a guard that was taken over pairs devices",
        file="gateway/config/broker_acl.py",
        old='f"write {base}/{levels}/{word}"',
        new='f"write {base}/#"',
        tests=(RADIO,),
    ),
    Mutant(
        name="a client takes the gateway's id",
        file="gateway/system/mosquitto.py",
        old='yield "use_username_as_clientid true"',
        new='yield "use_username_as_clientid false"',
        tests=(ATTACKED, FOLDER),
    ),
    Mutant(
        name="a listener beyond this machine speaks plainly",
        file="gateway/mqtt/mosquitto/provisioning.py",
        old="if not listener.tls and not is_loopback_host(listener.host):",
        new="if listener is None:",
        tests=(TLS,),
    ),
    Mutant(
        name="mosquitto is not told of a renewal",
        file="gateway/system/mosquitto.py",
        old="os.kill(int(process.name), signal.SIGHUP)",
        new="os.kill(int(process.name), 0)",
        tests=(TLS,),
    ),
    Mutant(
        name="a broker of another name is believed",
        file="gateway/mqtt/tls.py",
        old="context.options |= ssl.OP_NO_RENEGOTIATION",
        new="context.check_hostname = False",
        tests=(TLS,),
    ),
    Mutant(
        name="a certificate is renewed when it has ended",
        file="gateway/system/pki/authority.py",
        old="now < leaf.not_valid_after_utc - policy.renew",
        new="now < leaf.not_valid_after_utc",
        tests=(TLS,),
    ),
    Mutant(
        name="one password may stand for two accounts",
        file="gateway/mqtt/mosquitto/folder_check.py",
        old="elif password in files_by_password:",
        new="elif password in files_by_password and len(files_by_password) > 99:",
        tests=(FOLDER,),
    ),
)
