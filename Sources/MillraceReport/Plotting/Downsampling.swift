/// Fewer points that draw the same picture.
enum Downsampling {
    /// A point of the picture; `index` says which point of the series it is.
    struct Sample: Equatable {
        var x: Double
        var y: Double
        var index: Int
    }

    /// Keeps four points of each run in one column of the picture.
    ///
    /// They are the first, the last, the lowest and the highest, in their order: at one column a
    /// pixel the line is the same to the pixel.
    ///
    /// - Complexity: O(points); at most four samples for each column that the line enters.
    /// - Source: M4 aggregation; U. Jugel et al., "M4: A Visualization-Oriented Time Series Data
    ///   Aggregation", PVLDB 7(10), 2014.
    static func line(_ samples: [Sample], columnWidth: Double) -> [Sample] {
        guard samples.count > 4 else { return samples }
        var kept: [Sample] = []
        var start = 0
        while start < samples.count {
            let column = (samples[start].x / columnWidth).rounded(.down)
            var end = start
            var low = start
            var high = start
            while end < samples.count, (samples[end].x / columnWidth).rounded(.down) == column {
                if samples[end].y < samples[low].y { low = end }
                if samples[end].y > samples[high].y { high = end }
                end += 1
            }
            var last = -1
            for index in [start, min(low, high), max(low, high), end - 1] where index > last {
                kept.append(samples[index])
                last = index
            }
            start = end
        }
        return kept
    }

    /// Keeps the first of all points that fall into the same square of the picture.
    ///
    /// - Complexity: O(points).
    static func points(_ samples: [Sample], cell: Double) -> [Sample] {
        var taken: Set<Cell> = []
        return samples.filter {
            let column = Int(($0.x / cell).rounded(.down))
            return taken.insert(Cell(column: column, row: Int(($0.y / cell).rounded(.down))))
                .inserted
        }
    }

    private struct Cell: Hashable {
        var column: Int
        var row: Int
    }
}
