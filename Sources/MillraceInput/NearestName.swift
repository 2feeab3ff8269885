/// Finds what a user probably meant.
package enum NearestName {
    /// The candidate that is nearest to `name`, or nil where none is near.
    ///
    /// At most a third of the longer name's letters may differ. Ties go to the first. Case does not count as a difference.
    ///
    /// - Complexity: O(candidates · length²).
    package static func suggest(_ name: String, among candidates: some Sequence<String>) -> String?
    {
        let wanted = Array(name.lowercased())
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let letters = Array(candidate.lowercased())
            let distance = Self.distance(wanted, letters)
            let limit = max(wanted.count, letters.count) / 3
            guard distance <= max(limit, 1), distance < max(wanted.count, letters.count) else {
                continue
            }
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// ` (did you mean NAME?)` for an error message; empty where no candidate is near.
    package static func hint(_ name: String, among candidates: some Sequence<String>) -> String {
        suggest(name, among: candidates).map { " (did you mean '\($0)'?)" } ?? ""
    }

    /// The least number of insertions, deletions, substitutions and swaps of neighbours that turn
    /// `a` into `b`, no letter being edited twice.
    ///
    /// - Source: optimal string alignment; Damerau, "A technique for computer detection and
    ///   correction of spelling errors", CACM 7(3), 1964.
    static func distance(_ a: [Character], _ b: [Character]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [i + 1]
            row.reserveCapacity(b.count + 1)
            for j in b.indices {
                let substituted = last[j] + (a[i] == b[j] ? 0 : 1)
                var cost = min(substituted, last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                row.append(cost)
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
