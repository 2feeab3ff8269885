import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceKafka

/// Properties for librdkafka, and that secrets stay secret.
@Suite struct KafkaPropertiesTests {
    /// Everything that can be printed of a value.
    private func prints(_ value: Any) -> String {
        var text = "\(value) \(String(reflecting: value)) \([value])"
        dump(value, to: &text)
        return text
    }

    private func value(_ properties: KafkaProperties, _ name: String) throws -> String? {
        var found: String?
        try properties.forEach { (other, value, _) throws(KafkaError) in
            if other == name { found = value }
        }
        return found
    }

    @Test func keepsOrderAndTheLastValue() throws {
        let properties = try KafkaProperties(arguments: ["b=1", "a=x=y", "b=2", "c="])
        #expect(properties.names == ["a", "b", "c"])
        #expect(try value(properties, "a") == "x=y")
        #expect(try value(properties, "b") == "2")
        #expect(try value(properties, "c") == "")
        #expect(properties.description == "a=x=y b=2 c=")
    }

    @Test func readsEnvironmentAndFiles() throws {
        let directory = try TemporaryDirectory("millrace-kafka")
        try Files.writeDurably(directory.file("secret"), Array("s3cret\n".utf8))
        try Files.writeDurably(directory.file("two"), Array("x\n\n".utf8))
        try Files.writeDurably(directory.file("binary"), [0xFF, 0xFE])
        try Files.writeDurably(directory.file("zero"), [65, 0, 66])
        var properties = KafkaProperties()
        try properties.set("sasl.password", "file:" + directory.file("secret"))
        try properties.set("two", "file:" + directory.file("two"))
        try properties.set("user", "env:WHO") { $0 == "WHO" ? "joe" : nil }
        #expect(try value(properties, "sasl.password") == "s3cret")
        #expect(try value(properties, "two") == "x\n")
        #expect(try value(properties, "user") == "joe")
        for text in ["env:NOT_SET", "file:" + directory.file("none"), "file:/"] {
            let error = #expect(throws: KafkaError.self) {
                try properties.set("p", text) { _ in nil }
            }
            #expect(error?.code == .invalidArgument && error?.message.contains("'p'") == true)
        }
        for name in ["binary", "zero"] {
            #expect(throws: KafkaError.self) {
                try properties.set("p", "file:" + directory.file(name))
            }
        }
    }

    /// Neither a secret by name, nor what was read from elsewhere, is printed by anything.
    @Test(arguments: [
        "sasl.password", "ssl.key.password", "ssl.keystore.password", "SASL.PASSWORD",
        "sasl.oauthbearer.client.secret", "sasl.oauthbearer.config", "ssl.key.pem",
    ])
    func hidesSecrets(_ name: String) throws {
        var properties = KafkaProperties()
        try properties.set(name, "hunter2")
        try properties.set("sasl.username", "env:U") { _ in "hidden-user" }
        try properties.set("plain", "shown")
        let text = prints(properties) + prints(MirrorOptions(properties: properties))
        #expect(!text.contains("hunter2") && !text.contains("hidden-user"), "\(text)")
        #expect(properties.description.contains("shown"))
        #expect(
            properties.redacted("bad hunter2, hunter2hidden-user shown") == "bad …, …… shown")
    }

    /// A secret whose flag was misspelt is not repeated either.
    @Test func argumentsWithoutASignAreNotRepeated() {
        for argument in ["hunter2", "=hunter2", ""] {
            let error = #expect(throws: KafkaError.self) {
                try KafkaProperties(arguments: [argument])
            }
            #expect(error?.description.contains("hunter2") == false)
        }
    }

    @Test(arguments: [
        "bootstrap.servers", "transactional.id", "isolation.level", "enable.auto.commit",
        "auto.offset.reset", "", "a b", "a\u{7}",
    ])
    func refuses(_ name: String) {
        let error = #expect(throws: KafkaError.self) { try KafkaProperties([(name, "x")]) }
        #expect(error?.code == .invalidArgument)
    }
}
