"""Directories: LDAP with OpenLDAP."""

from harness.service import Service, exchange, expect_equal, expect_in

SLAPD = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/pid
TLSCertificateFile {tls.certificate}
TLSCertificateKeyFile {tls.key}
security simple_bind=128
database mdb
maxsize 67108864
suffix "dc=service,dc=test"
rootdn "cn=admin,dc=service,dc=test"
rootpw secret
directory {dir}/data
"""
BASE = """dn: dc=service,dc=test
objectClass: dcObject
objectClass: organization
o: Services
dc: service

"""
PERSON = """dn: cn=person {number},dc=service,dc=test
objectClass: inetOrgPerson
cn: person {number}
sn: {number}
mail: person{number}@service.test

"""
PEOPLE = 300


class Ldap(Service):
    name = "ldap"
    needs = {"slapd": "slapd", "ldapsearch": "ldap-utils", "openssl": "openssl"}
    ports = ["389/tcp", "636/tcp"]

    def server(self, place):
        place.folder("data")
        conf = place.write("slapd.conf", SLAPD.format(dir=place.directory, tls=place.tls))
        return ["slapd", "-h", "ldap:/// ldaps:///", "-f", conf, "-d", "0"]

    def ldap(self, place, program, url, *words, admin=True, **more):
        who = ["-D", "cn=admin,dc=service,dc=test", "-w", "secret"] if admin else []
        return place.client("env", f"LDAPTLS_CACERT={place.tls.ca}", "LDAPTLS_REQCERT=demand",
                            program, "-x", "-H", url, *who, *words, **more)

    @exchange("389/tcp", "StartTLS, bind, 300 entries added, found, one changed")
    def entries(self, place):
        url = f"ldap://{place.address}"
        self.ldap(place, "ldapadd", url, "-ZZ", stdin=BASE + "".join(
            PERSON.format(number=number) for number in range(PEOPLE)))
        said = self.ldap(place, "ldapsearch", url, "-ZZ", "-LLL", "-b", "dc=service,dc=test",
                         "(sn=1*)", "mail", admin=False).out
        expect_equal(said.count("mail: person1"), 111, "people whose number begins with 1")
        self.ldap(place, "ldapmodify", url, "-ZZ", stdin="dn: cn=person 7,dc=service,dc=test\n"
                                                         "changetype: modify\nreplace: mail\n"
                                                         "mail: seven@service.test\n")
        said = self.ldap(place, "ldapsearch", f"ldap://[{place.address6}]", "-LLL", "-b",
                         "dc=service,dc=test", "(sn=7)", "mail", admin=False).out
        expect_in("mail: seven@service.test", said, "the changed entry")

    @exchange("389/tcp", "a bind without TLS is refused")
    def plain(self, place):
        done = self.ldap(place, "ldapwhoami", f"ldap://{place.address}", status=None)
        expect_in("confidentiality required", done.err.lower(), "the answer")

    @exchange("636/tcp", "TLS, certificate verified, who am I", service="ldaps")
    def ldaps(self, place):
        said = self.ldap(place, "ldapwhoami", f"ldaps://{place.address}").out
        expect_equal(said.strip(), "dn:cn=admin,dc=service,dc=test", "who")
