"""Is the new side worse? The rule of a duet: from the pairs of every benchmark to a verdict on each.

What is judged is the logarithm of new over old in each pair, ns of wall clock. A benchmark goes through at most two
stages, each of at most `rule.pairs` pairs (20) and each looked at when 1/2, 3/4 and all of them are there (10, 15, 20):

1. *Evidence.* Wilcoxon's signed-rank test, one-sided and exact. A benchmark's p-value is the smallest of p / share over
   the looks so far, where the looks' shares (SPENT) add up to one: by Bonferroni's inequality that is a p-value however
   often one looked (a repeated p-value: Jennison and Turnbull, Group Sequential Methods, 2000, chapter 9). A stage that
   ends early, on a budget or an interrupt, spends all that is left at its last look. Benjamini and Hochberg (J. Royal
   Statistical Society B 57, 1995) at `rule.evidence` over all benchmarks of the comparison, the decided ones included.
   *Effect.* The Hodges-Lehmann estimate is over the threshold.
   Both: a suspect. The interval of the estimate lies within the threshold to either side: *same* (two one-sided tests:
   Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987). Evidence and effect the other way: *better*.
   Otherwise it goes on, and is *undecided* when the pairs are used up.
2. *Confirmation*, of the suspects alone, in fresh pairs, with the same test, effect, looks, and Benjamini-Hochberg at
   `rule.confirmation` over the suspects. *Worse* is only what is worse in both; its ratio comes from the fresh pairs
   alone, because the pairs that raised a suspicion exaggerate it.

So a comparison of a thing with itself fails with a chance of at most evidence x confirmation, whatever the noise is like
and however many benchmarks there are, as long as a pair is as likely to err to one side as to the other (which the
random order within pairs sees to).
"""

from __future__ import annotations
