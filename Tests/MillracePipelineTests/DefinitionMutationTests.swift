import MillracePipeline
import MillraceSystem
import Testing

/// A pipeline file comes from a user: whatever it holds, it is read or refused, never a trap.
@Suite struct DefinitionMutationTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func mutatedFilesAreReadOrRefused(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let pieces = [
            "{", "}", "[", "]", ":", "- ", "\n", "  ", "\"", "'", "&a ", "*a", "? ", "|", ">",
            "!!map ", "%", "@", "\u{0}", "é", "null", "-1", "1e999", "9223372036854775808", "<<: ",
            "---\n", "...\n", "#", ",", "\t", "\u{FEFF}",
        ]
        let original = Array(flightsPipeline.unicodeScalars)
        var refused = 0
        for _ in 0..<400 {
            var text = original
            for _ in 0...Int(random.next() % 4) {
                let at = Int(random.next() % UInt64(text.count))
                let length = min(Int(random.next() % 12), text.count - at)
                switch random.next() % 4 {
                case 0: text.removeSubrange(at..<(at + length))
                case 1:
                    let piece = pieces[Int(random.next() % UInt64(pieces.count))]
                    text.insert(contentsOf: piece.unicodeScalars, at: at)
                case 2:
                    let to = Int(random.next() % UInt64(text.count))
                    text.insert(contentsOf: text[at..<(at + length)], at: to)
                default: text.removeSubrange(at...)
                }
                if text.isEmpty { break }
            }
            var mutated = String.UnicodeScalarView()
            mutated.append(contentsOf: text)
            do throws(PipelineError) {
                _ = try PipelineDefinition.parse(String(mutated), file: "p.yaml")
            } catch {
                refused += 1
                #expect(error.code == .usage, "seed \(seed): \(error)")
                #expect(error.description.split(separator: "\n").count <= 2, "seed \(seed)")
            }
        }
        #expect(refused > 100, "seed \(seed): mutations that break nothing test nothing")
    }

    @Test func everyPrefixIsReadOrRefused() {
        let scalars = flightsPipeline.unicodeScalars
        for length in 0..<scalars.count {
            _ = parsingError(String(scalars.prefix(length)))
        }
    }

    @Test func deepNestingIsRefused() {
        for depth in [40, 5_000, 100_000] {
            let message = parsingError("topics: " + String(repeating: "[", count: depth))
            #expect(message.hasPrefix("p.yaml:"))
        }
        let message = parsingError(
            "topics: " + String(repeating: "[", count: 40) + String(repeating: "]", count: 40))
        #expect(message == "p.yaml:1:40: values are nested more than 32 deep")
    }

    @Test func unfoldingAliasesAreBounded() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(aliases)]\n"
        }
        #expect(parsingError(text).hasSuffix("Remove aliases (*name) that repeat each other."))
    }

    @Test func manyStagesAreRefused() {
        let stages = (0..<300).map { "  s\($0): {kind: score, from: a, to: b, model: m}" }
        let text = "topics: {}\nstages:\n" + stages.joined(separator: "\n")
        #expect(parsingError(text) == "p.yaml:302:3: 300 stages are too many; 256 are possible")
    }
}
