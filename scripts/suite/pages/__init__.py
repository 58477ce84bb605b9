"""How is a run told in words: README, docs, report, terminal?"""
