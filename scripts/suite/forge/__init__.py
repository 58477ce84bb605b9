"""What do GitHub and GitLab tell a job, and how does it answer?"""
