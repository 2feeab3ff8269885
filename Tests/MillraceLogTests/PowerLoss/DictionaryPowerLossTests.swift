import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The power goes while a text is added to a dictionary, wherever in a sector its record begins.
@Suite struct DictionaryPowerLossTests {
    @Test(arguments: Array(494...514))
    func aTextIsThereOrWasNeverNumbered(_ start: Int) throws {
        let stage = try MemoryDirectory()
        let root = stage.path + "/first"
        try Files.createDirectory(root)
        let path = root + "/dictionary"
        try Files.writeDurably(path, [])
        let first = String(repeating: "a", count: start - 8)
        let disk = try SimulatedDisk(root: root)
        var marks: [Int] = []
        do {
            defer { disk.stop() }
            let dictionary = TopicDictionary(path: path)
            #expect(try dictionary.id(of: first) == 1)
            marks.append(disk.mark())
            #expect(try dictionary.id(of: "second") == 2)
            marks.append(disk.mark())
        }
        for moment in marks[0]...marks[1] {
            for seed in 0..<30 as Range<UInt64> {
                let place = stage.path + "/second"
                try disk.materialize(upTo: moment, seed: seed, into: place)
                let dictionary = TopicDictionary(path: place + "/dictionary")
                #expect(try dictionary.text(1) == first, "moment \(moment), seed \(seed)")
                let second = try dictionary.text(2)
                let isRight = second == "second" || second == nil && moment < marks[1]
                #expect(isRight, "moment \(moment), seed \(seed)")
                let third = try dictionary.id(of: "third")
                // A text that was decided on, and is not in the dictionary yet, comes before.
                let decided = try dictionary.text(2)
                #expect(third == (decided == "third" ? 2 : 3))
                #expect(decided == second || second == nil && decided != nil)
                #expect(decided == "second" || decided == "third")
                #expect(try TopicDictionary(path: place + "/dictionary").text(third) == "third")
                try Files.removeTree(place)
            }
        }
    }
}
