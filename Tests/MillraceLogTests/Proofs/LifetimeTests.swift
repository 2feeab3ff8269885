import MillraceSystem
import MillraceTestSupport
import Testing

/// Programs that would look at a batch's memory after the reader has moved on do not compile.
///
/// Each is given to the compiler that built this test, with the modules that it built.
@Suite struct LifetimeTests {
    /// A program that must not compile, and what the compiler must say.
    struct Wrong: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: String
        let complaint: String
    }

    /// Runs the compiler up to the point where lifetimes are known; returns what it says.
    private static func compile(
        _ body: String
    ) throws -> (ending: ChildProcess.Ending, said: String) {
        let directory = try TemporaryDirectory("millrace-compile")
        let source = directory.file("program.swift")
        try Files.writeDurably(source, Array(("import MillraceLog\n\n" + body + "\n").utf8))
        let products = Files.parent(of: ChildProcess.besideUs("x"))
        var arguments = [
            "swiftc", "-swift-version", "6", "-enable-experimental-feature", "Lifetimes",
            "-I", products + "/Modules", "-I", SharedData.root + "/Sources/CLZ4",
        ]
        for module in ["CMillraceLinux", "CMillraceKernels"] {
            arguments += [
                "-Xcc", "-fmodule-map-file=\(products)/\(module).build/module.modulemap",
            ]
        }
        // Checking types alone does not look at lifetimes.
        arguments += ["-emit-sil", "-o", "/dev/null", source]
        let script = arguments.map { "'\($0)'" }.joined(separator: " ") + " 2>&1"
        let compiler = try ChildProcess("/bin/sh", ["-c", script])
        let lines = compiler.readToEnd()
        return (compiler.wait(), lines.joined(separator: "\n"))
    }

    /// The same kind of program, done right: the flags and the modules are as they should be.
    @Test func rightProgramsCompile() throws {
        let (ending, said) = try Self.compile(
            """
            func read(_ topic: Topic) throws(LogError) -> Float {
                var reader = try topic.reader(partition: 0)
                var total: Float = 0
                while let batch = try reader.next() {
                    let matrix = batch.matrix
                    for index in matrix.indices { total += matrix[index] }
                    if batch.columns == 0 { total += Float(batch.value(0).count) }
                }
                try reader.seek(to: 0)
                return total
            }

            @_lifetime(&reader)
            func first(_ reader: inout PartitionReader) throws(LogError) -> Span<Float> {
                guard let batch = try reader.next() else { return Span<Float>() }
                return batch.matrix
            }
            """)
        #expect(ending == .code(0), "\(said)")
        #expect(!said.contains("error:"), "\(said)")
    }

    static let overlap = "overlapping accesses to 'reader'"
    static let escape = "escapes its scope"

    static let wrong: [Wrong] = [
        Wrong(
            testDescription: "a batch kept beyond the reader's next turn",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) -> Int {
                    guard let first = try reader.next() else { return 0 }
                    guard let second = try reader.next() else { return 0 }
                    return first.rows + second.rows
                }
                """, complaint: overlap),
        Wrong(
            testDescription: "a matrix used after the reader's next turn",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) -> Float {
                    guard let batch = try reader.next() else { return 0 }
                    let matrix = batch.matrix
                    _ = try reader.next()
                    return matrix[0]
                }
                """, complaint: overlap),
        Wrong(
            testDescription: "a value used after a seek",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) -> UInt8 {
                    guard let batch = try reader.next() else { return 0 }
                    let value = batch.value(0)
                    try reader.seek(to: 0)
                    return value[0]
                }
                """, complaint: overlap),
        Wrong(
            testDescription: "a batch used after the reader was replaced",
            body: """
                func read(
                    _ reader: inout PartitionReader, _ other: consuming PartitionReader
                ) throws(LogError) -> Int {
                    guard let batch = try reader.next() else { return 0 }
                    reader = other
                    return batch.rows
                }
                """, complaint: overlap),
        Wrong(
            testDescription: "a batch used after the reader was given away",
            body: """
                func read(_ reader: consuming PartitionReader) throws(LogError) -> Int {
                    guard let batch = try reader.next() else { return 0 }
                    let taken = reader
                    _ = consume taken
                    return batch.rows
                }
                """, complaint: overlap),
        Wrong(
            testDescription: "a matrix kept in a variable outside",
            body: """
                func read(_ topic: Topic) throws(LogError) -> Int {
                    var kept = Span<Float>()
                    do {
                        var reader = try topic.reader(partition: 0)
                        if let batch = try reader.next() { kept = batch.matrix }
                    }
                    return kept.count
                }
                """, complaint: escape),
        Wrong(
            testDescription: "a matrix handed out through a parameter",
            body: """
                func read(
                    _ reader: inout PartitionReader, _ kept: inout Span<Float>
                ) throws(LogError) {
                    guard let batch = try reader.next() else { return }
                    kept = batch.matrix
                }
                """, complaint: escape),
        Wrong(
            testDescription: "a matrix kept by a closure",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) -> (() -> Int)? {
                    guard let batch = try reader.next() else { return nil }
                    let matrix = batch.matrix
                    return { matrix.count }
                }
                """, complaint: escape),
        Wrong(
            testDescription: "a matrix returned without its reader",
            body: """
                func read(_ topic: Topic) throws(LogError) -> Span<Float> {
                    var reader = try topic.reader(partition: 0)
                    guard let batch = try reader.next() else { return Span<Float>() }
                    return batch.matrix
                }
                """, complaint: escape),
        Wrong(
            testDescription: "values collected in an array",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) -> Int {
                    var all: [Span<UInt8>] = []
                    while let batch = try reader.next() { all.append(batch.value(0)) }
                    return all.count
                }
                """, complaint: "does not conform to protocol 'Escapable'"),
        Wrong(
            testDescription: "a batch read by another task",
            body: """
                func read(_ reader: inout PartitionReader) throws(LogError) {
                    guard let batch = try reader.next() else { return }
                    Task { print(batch.rows) }
                }
                """, complaint: "error:"),
    ]

    @Test(arguments: wrong)
    func wrongProgramsDoNot(_ program: Wrong) throws {
        let (ending, said) = try Self.compile(program.body)
        #expect(ending == .code(1), "\(said)")
        #expect(said.contains(program.complaint), "\(said)")
        // It is the program that is wrong, not the way it is compiled.
        #expect(!said.contains("missing required module"), "\(said)")
        #expect(!said.contains("no such module"), "\(said)")
    }

    /// A hole in Swift 6.3: an access that overlaps with itself, one turn of a loop later, is not
    /// seen. When this fails, the compiler sees it, and the program belongs to those above.
    @Test func aLoopThatKeepsASpanIsNotCaught() throws {
        let (ending, _) = try Self.compile(
            """
            func read(_ reader: inout PartitionReader) throws(LogError) -> Int {
                var kept = Span<Float>()
                while let batch = try reader.next() { kept = batch.matrix }
                return kept.count
            }
            """)
        withKnownIssue("Swift 6.3 does not check an access against its own next turn") {
            #expect(ending == .code(1))
        }
    }
}
