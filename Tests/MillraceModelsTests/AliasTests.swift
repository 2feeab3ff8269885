import MillraceModels
import MillraceRepository
import MillraceSystem
import MillraceTestSupport
import Testing

/// Names that can be moved from version to version.
@Suite struct AliasTests {
    private let directory: TemporaryDirectory
    private let repository: ModelRepository
    private let model: Model

    init() throws {
        directory = try TemporaryDirectory("millrace-aliases", inMemory: true)
        repository = ModelRepository(path: directory.path)
        var draw = Draw(7)
        model = try draw.model([3, 2])
    }

    private func publish(_ count: Int = 1) throws {
        for _ in 0..<count { _ = try repository.publish(model, as: "m", Publication(key: "")) }
    }

    private func code(_ body: () throws -> Void) -> RepositoryError.Code? {
        do { try body() } catch { return (error as? RepositoryError)?.code }
        return nil
    }

    @Test func aNameAloneFollowsWhatIsPublished() throws {
        #expect(try repository.resolve("m") == nil)
        try publish(2)
        #expect(try repository.resolve("m") == 2)
        #expect(try repository.resolve("m@latest") == 2)
        #expect(try repository.resolve("m@1") == 1)
        #expect(try repository.resolve("m@3") == nil)
        #expect(try repository.resolve("m@stable") == nil)
        try publish()
        #expect(try repository.resolve("m") == 3)
        #expect(try repository.aliases(of: "m").versions == ["latest": 3])
    }

    @Test func aRollbackHoldsUntilTheNextPromotion() throws {
        try publish(3)
        #expect(
            try repository.rollback("m") == AliasChange(alias: "latest", from: 3, to: 2))
        try publish(2)
        #expect(try repository.resolve("m") == 2)
        #expect(try repository.aliases(of: "m").isRolledBack)
        // Further back, by one each time.
        #expect(try repository.rollback("m").to == 1)
        #expect(code { _ = try repository.rollback("m") } == .notFound)
        #expect(try repository.rollback("m", to: 4).to == 4)
        // Of another alias: the rollback stays.
        try repository.promote("m", version: 5, as: "canary")
        #expect(try repository.resolve("m") == 4)
        let changes = try repository.promote("m", version: 3)
        #expect(
            changes == [
                AliasChange(alias: "stable", from: nil, to: 3),
                AliasChange(alias: "latest", from: 4, to: 3),
            ])
        // Versions that were there when 3 was promoted do not go before it.
        #expect(try repository.resolve("m") == 3)
        #expect(try !repository.aliases(of: "m").isRolledBack)
        try publish()
        #expect(try repository.resolve("m") == 6)
        try publish()
        #expect(try repository.resolve("m") == 7)
        #expect(
            try repository.aliases(of: "m").versions == ["latest": 7, "stable": 3, "canary": 5])
        #expect(try repository.aliases(of: "m").names(of: 3) == ["stable"])
    }

    @Test func aPromotionOfTheNewestLetsTheNameFollowAgain() throws {
        try publish(2)
        try repository.rollback("m")
        try repository.promote("m", version: 2)
        #expect(try repository.resolve("m") == 2)
        try publish()
        #expect(try repository.resolve("m") == 3)
    }

    @Test func aPromotionWithoutARollbackMovesTheAliasAlone() throws {
        try publish(3)
        try repository.promote("m", version: 1)
        #expect(try repository.resolve("m") == 3)
        try repository.promote("m", version: 2, as: "latest")
        #expect(try repository.resolve("m") == 2)
        try publish()
        #expect(try repository.resolve("m") == 4)
    }

    @Test func anAliasGoesBackToWhatItNamedBefore() throws {
        try publish(5)
        for version in [1, 3, 3, 5] { try repository.promote("m", version: version) }
        #expect(
            try repository.rollback("m", alias: "stable")
                == AliasChange(alias: "stable", from: 5, to: 3))
        #expect(try repository.rollback("m", alias: "stable").to == 1)
        #expect(code { _ = try repository.rollback("m", alias: "stable") } == .notFound)
        #expect(try repository.rollback("m", to: 4, alias: "stable").to == 4)
        #expect(try repository.resolve("m@stable") == 4)
        #expect(try repository.resolve("m") == 5)
        // What is gone is passed over.
        try repository.promote("m", version: 3)
        try repository.promote("m", version: 5)
        try Files.removeTree(directory.file("m/3"))
        #expect(try repository.rollback("m", alias: "stable").to == 4)
    }

    @Test func aVersionThatDoesNotLoadIsNotPromoted() throws {
        try publish(3)
        try repository.promote("m", version: 3)
        try Files.writeDurably(directory.file("m/2/model.safetensors"), [0])
        #expect(code { try repository.promote("m", version: 2) } == .checksumMismatch)
        #expect(code { _ = try repository.rollback("m") } == .checksumMismatch)
        #expect(try repository.resolve("m@stable") == 3)
        #expect(try repository.resolve("m") == 3)
        #expect(try repository.rollback("m", to: 1).to == 1)
    }

    @Test func whatIsMissingIsSaidWithWhatThereIs() throws {
        try publish(2)
        try repository.promote("m", version: 1)
        for (reference, part) in [
            ("mm", "there is no version of a model 'mm' (did you mean 'm'?)"),
            ("m@9", "there is no 'm@9'; versions are 1 to 2"),
            ("m@stabel", "the model 'm' has no alias 'stabel' (did you mean 'stable'?)"),
        ] {
            let error = #expect(throws: RepositoryError.self) {
                try repository.version(of: ModelReference(parsing: reference))
            }
            #expect(error?.code == .notFound)
            #expect(error?.detail == part)
        }
        try Files.removeTree(directory.file("m/1"))
        let gone = #expect(throws: RepositoryError.self) {
            try repository.version(of: "m@stable")
        }
        #expect(gone?.detail == "'m@stable' is version 1, which is not there any more")
        #expect(code { try repository.promote("x", version: 1) } == .notFound)
        #expect(!Files.exists(directory.file("x")))
        for alias in ["", "7", "-x", ".x", "a b"] {
            #expect(code { try repository.promote("m", version: 2, as: alias) } == .invalidName)
        }
    }

    @Test(arguments: [
        ("m", ModelReference("m")), ("m@latest", ModelReference("m")),
        ("m@7", ModelReference("m", .version(7))),
        ("m-1.x@stable", ModelReference("m-1.x", .alias("stable"))),
    ])
    func referencesAreRead(text: String, expected: ModelReference) throws {
        let reference = try ModelReference(parsing: text)
        #expect(reference == expected)
        #expect(try ModelReference(parsing: reference.description) == expected)
    }

    @Test(arguments: [
        "", "@", "m@", "@7", "m@0", "m@-1", "m@07", "m@7x", "m@@7", "m@7@8", "m@a b", "a/b",
        "m@../x",
        "m@99999999999999999999",
    ])
    func whatIsNoReferenceIsRefused(text: String) {
        let error = #expect(throws: RepositoryError.self) { try ModelReference(parsing: text) }
        #expect(error?.code == .invalidName)
        #expect(error?.description.contains("NAME@7 or NAME@stable") == true)
    }

    /// Any one byte that differs is noticed: it never leads to another version.
    @Test func aDamagedTableIsRefused() throws {
        try publish(9)
        try repository.promote("m", version: 4)
        try repository.promote("m", version: 6)
        try repository.rollback("m", to: 8)
        let file = directory.file("m/.aliases")
        let bytes = try Files.read(file, maxBytes: 1000)
        #expect(
            String(decoding: bytes, as: UTF8.self).hasPrefix(
                "millrace-aliases 1\nlatest 8 held\nalias stable 6 4\ncrc32c "))
        var damaged = bytes.indices.map { Array(bytes[..<$0]) }
        for index in bytes.indices {
            for bit in 0..<8 {
                damaged.append(bytes)
                damaged[damaged.count - 1][index] ^= 1 << UInt8(bit)
            }
        }
        damaged.append(bytes + [10])
        for content in damaged {
            #expect(try Files.writeOnce(file + ".new", content))
            try Files.renameDurably(file + ".new", file)
            let code = code { _ = try repository.resolve("m") }
            #expect(code == .malformedFile || code == .checksumMismatch)
        }
        #expect(code { try repository.promote("m", version: 4) } != nil)
        #expect(try repository.verifyAliases(of: "m").count == 1)
        // Nobody who names a version needs the table.
        #expect(try repository.load("m", version: 4).version == 4)
        try Files.remove(file)
        #expect(try repository.resolve("m") == 9)
    }

    /// A table with the right checksum that nobody writes so.
    @Test(arguments: [
        "latest 0 held\n", "latest 2\n", "latest 2 held 3\n", "latest 2 until x\n",
        "latest 2 maybe\n", "alias stable\n", "alias stable 0\n", "alias 7 1\n",
        "alias b 1\nalias a 1\n", "alias a 1\nalias a 2\n", "alias a 1\nlatest 1 held\n", "\n",
        "what 1\n", "alias a 1\r\n", "alias latest 1\n",
    ])
    func aTableThatIsNotInOrderIsRefused(lines: String) throws {
        try publish()
        let body = Array(("millrace-aliases 1\n" + lines).utf8)
        let sum = "crc32c \(CRC32C.checksum(of: body.span))\n"
        try Files.writeDurably(directory.file("m/.aliases"), body + Array(sum.utf8))
        #expect(code { _ = try repository.resolve("m") } == .malformedFile)
    }

    @Test func manyMoveAliasesAtOnce() throws {
        try publish(4)
        let failures = Lock<[String]>([])
        let threads = try (0..<4).map { index in
            try PinnedThread(name: "promoter \(index)", core: nil) { [repository] in
                for round in 0..<5 {
                    do {
                        try repository.promote("m", version: 1 + round % 4, as: "a\(index)")
                        _ = try repository.aliases(of: "m")
                    } catch { failures.withLock { $0.append("\(error)") } }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(failures.withLock { $0 } == [])
        #expect(
            try repository.aliases(of: "m").versions
                == ["latest": 4, "a0": 1, "a1": 1, "a2": 1, "a3": 1])
    }
}
